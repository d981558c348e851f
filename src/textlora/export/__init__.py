"""From a run to files that work without textlora, and to the Hub."""
