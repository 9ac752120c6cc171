"""A training run on disk and on the console: checkpoints, state, log."""
