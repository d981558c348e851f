"""How good predictions are: arrays in, numbers out. No words, no pictures, no models."""
