"""From a name to a trainable classifier: encoder, head, adapter."""
