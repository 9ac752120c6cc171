"""Public sets, as their owners distribute them, into the one folder that --dataset_mode masks reads."""
