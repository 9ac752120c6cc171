"""From a network's outputs to scores."""
