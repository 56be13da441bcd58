"""Training: cut the log, compare models on it, choose, and say in words what was found."""
