"""Which flags there are, with their defaults and what each takes: those of data sets, of models and of training."""
