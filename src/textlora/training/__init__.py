"""Training a classifier: the Trainer, its checkpoints, and the job from data to report."""
