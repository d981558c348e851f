"""What several tests share and none of them tests: stand-ins and builders."""
