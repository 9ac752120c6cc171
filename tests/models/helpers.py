"""Options for models as small as they come."""

import argparse

from options.base import settle
from options.flags.of_models import OF_MODELS
from options.test import TEST
from options.train import TRAIN

SMALL = {
    "name": "run",
    "checkpoints_dir": ".",
    "netG": "unet_64",
    "norm": "batch",
    "no_dropout": False,
    "ngf": 4,
    "ndf": 4,
    "crop_size": 64,
    "pool_size": 3,
    "n_epochs": 2,
    "n_epochs_decay": 2,
    "lr_decay_iters": 1,
}
"""A U-Net of 64x64 images with 4 filters, and a short training."""


def model_options(model: str = "pix2pix", **changes: object) -> argparse.Namespace:
    """The defaults of train.py and test.py, except for SMALL and for what a test is about."""
    data = OF_MODELS[model].dataset_mode
    defaults = TEST.default_values(model, data) | TRAIN.default_values(model, data)
    assert changes.keys() <= defaults.keys(), changes.keys() - defaults.keys()
    return settle(argparse.Namespace(**defaults | SMALL | changes))
