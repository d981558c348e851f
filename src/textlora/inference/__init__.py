"""From texts to labels and probabilities with a tuned classifier."""
