"""Every flag of every script, with the facts about it that more than one place needs.

A test fails for a flag without a line here, and for a line without a flag.
"""

import argparse
import enum


class Fact(enum.Flag):
    """What is true of a flag."""

    NONE = 0
    TESTED = enum.auto()
    """test.py reads it from the run's options.json."""
    RESUMED = enum.auto()
    """train.py --continue_train reads it from the run's options.json."""
    FIXED = enum.auto()
    """train.py --continue_train refuses another value, which could not act."""
    OF_THE_DATA = enum.auto()
    """It describes one data set. With another --dataroot the recorded value is ignored."""
    IMAGES = enum.auto()
    """It says which images there are."""
    READING = enum.auto()
    """It changes the pixels, or the number of images, that a data set gives for the same files."""
    MAP = enum.auto()
    """It changes the map of foreground from which masks are cut, so that another threshold may suit."""
    SHARED = enum.auto()
    """The runs of an ensemble must agree in it, because all of them see the same images."""
    CUT = enum.auto()
    """It decides how masks are cut from the map."""
    TRAINING = enum.auto()
    """It makes a training longer or different; forgetting.py shows it for each run."""
    BESIDE = enum.auto()
    """It says what a training shows, saves and occupies, and changes no weights."""


# Shorter names keep a flag on one line.
NONE, TESTED, RESUMED, OF_THE_DATA = Fact.NONE, Fact.TESTED, Fact.RESUMED, Fact.OF_THE_DATA
FIXED = RESUMED | Fact.FIXED
IMAGES, READING, MAP, SHARED, TRAINING = Fact.IMAGES, Fact.READING, Fact.MAP, Fact.SHARED, Fact.TRAINING
BESIDE = RESUMED | Fact.BESIDE
RUN = TESTED | RESUMED

FLAGS: dict[str, Fact] = {
    # the run, and the machine that it runs on
    "name": NONE,
    "suffix": NONE,
    "checkpoints_dir": NONE,
    "epoch": MAP,
    "load_iter": NONE,
    "continue_train": NONE,
    "overwrite": NONE,
    "verbose": NONE,
    "num_threads": NONE,
    "gpu_ids": BESIDE,
    "cache_gb": BESIDE,
    "skip_bad_files": RESUMED,
    # networks
    "model": TESTED | FIXED | TRAINING,
    "model_suffix": TESTED,
    "netG": TESTED | FIXED,
    "netD": TESTED | FIXED,
    "n_layers_D": TESTED | FIXED,
    "ngf": TESTED | FIXED,
    "ndf": TESTED | FIXED,
    "norm": TESTED | FIXED,
    "no_dropout": TESTED | FIXED,
    "init_type": TESTED | FIXED,
    "init_gain": TESTED | FIXED,
    "input_nc": TESTED | FIXED | READING,
    "output_nc": TESTED | FIXED | READING,
    "input_norm": TESTED | FIXED | MAP,
    "norm_stats": RUN | MAP,
    "stochastic": RUN | MAP,
    # where the generator starts
    "pretrained": FIXED,
    "pretrained_B": FIXED,
    "encoder_weights": FIXED,
    "freeze_encoder": RESUMED,
    "adapt": FIXED,
    "old_weight": RESUMED | TRAINING,
    "replay": RESUMED | TRAINING,
    "mask_init": FIXED,
    "mask_cutoff": FIXED,
    "bank": FIXED,
    "bank_fraction": FIXED,
    "rank": FIXED,
    # length of the training
    "epoch_count": RESUMED,
    "n_epochs": RESUMED | TRAINING,
    "n_epochs_decay": RESUMED | TRAINING,
    # which images
    "dataroot": RUN | IMAGES,
    "dataset_mode": RUN | IMAGES,
    "phase": RESUMED | IMAGES,
    "direction": RUN | IMAGES | SHARED,
    "phantom": RUN | IMAGES,
    "phantom_count": RUN | IMAGES,
    "max_dataset_size": RESUMED | READING | TRAINING,
    "train_images": RUN | OF_THE_DATA | IMAGES | TRAINING,
    "fold": RUN | OF_THE_DATA | IMAGES | TRAINING,
    "source": RUN | OF_THE_DATA | IMAGES | TRAINING,
    "split_seed": RUN | OF_THE_DATA | IMAGES,
    "patient_regex": RUN | OF_THE_DATA | IMAGES,
    "unlabelled": RUN | OF_THE_DATA | TRAINING,
    "unpaired": RUN,
    "balance": RESUMED | TRAINING,
    "serial_batches": RESUMED,
    "batch_size": RESUMED | TRAINING,
    # how images are read
    "classes": RUN | READING | MAP | SHARED,
    "preprocess": RUN | READING | MAP | SHARED,
    "load_size": RESUMED | TRAINING,
    "crop_size": RUN | READING | MAP | SHARED | TRAINING,
    "intensity": RUN | READING | MAP | SHARED,
    "clahe": RUN | READING | MAP | SHARED,
    "patch": RUN | MAP | TRAINING,
    "patch_overlap": RUN | MAP,
    "no_flip": RESUMED,
    "augment": RESUMED | TRAINING,
    # steps
    "optimizer": RESUMED | TRAINING,
    "beta1": RESUMED,
    "lr": RESUMED | TRAINING,
    "lr_encoder": RESUMED,
    "lr_policy": RESUMED | TRAINING,
    "lr_decay_iters": RESUMED,
    "warmup": RESUMED,
    "patience": RESUMED,
    "weight_decay": RESUMED | TRAINING,
    "clip_grad": RESUMED,
    "amp": RESUMED | TRAINING,
    "ema": RESUMED | TRAINING,
    # losses
    "gan_mode": RESUMED,
    "pool_size": RESUMED,
    "instance_noise": RESUMED,
    "lambda_A": RESUMED,
    "lambda_B": RESUMED,
    "lambda_identity": RESUMED,
    "lambda_L1": RESUMED | TRAINING,
    "lambda_seg": RESUMED | TRAINING,
    "seg_loss": RESUMED | TRAINING,
    # validation and chance
    "val_freq": RESUMED,
    "early_stop": RESUMED | TRAINING,
    "seed": RUN | TRAINING,
    # saving and showing
    "save_latest_freq": BESIDE,
    "save_epoch_freq": BESIDE,
    "save_by_iter": BESIDE,
    "print_freq": BESIDE,
    "no_html": BESIDE,
    "update_html_freq": BESIDE,
    "tensorboard": BESIDE,
    "display_freq": BESIDE,
    "display_id": BESIDE,
    "display_ncols": BESIDE,
    "display_server": BESIDE,
    "display_env": BESIDE,
    "display_port": BESIDE,
    "display_winsize": TESTED | BESIDE,
    # masks, as training validates them and testing writes them
    "mask_threshold": RUN | Fact.CUT,
    "fill_holes": RUN | Fact.CUT,
    "min_area": RUN | Fact.CUT,
    "keep_largest": RUN | Fact.CUT,
    # testing
    "results_dir": NONE,
    "num_test": NONE,
    "compare": NONE,
    "eval": NONE,
    "task": MAP,
    "within": MAP,
    "tta": MAP,
    "samples": MAP,
    "surface": NONE,
    "write": NONE,
    "aspect_ratio": NONE,
    # forgetting.py; train.py has some of those of the old task, too
    "donor": NONE,
    "runs": NONE,
    "old_data": FIXED,
    "old_mode": FIXED,
    "old_phase": NONE,
    "old_classes": FIXED,
    "old_direction": FIXED,
    "new_data": NONE,
    "new_mode": NONE,
    "new_phase": NONE,
    "new_classes": NONE,
    "new_direction": NONE,
    "kid_weights": NONE,
    "curve_points": NONE,
    "pictures": NONE,
    # python -m data.prepare, data.download, data.phantom, models.piggyback, models.export, models.publish
    "size": NONE,
    "keep_bits": NONE,
    "split_file": NONE,
    "folds": NONE,
    "list": NONE,
    "datasets_dir": NONE,
    "out": NONE,
    "to": NONE,
    "int8": NONE,
    "repo": NONE,
    "private": NONE,
}


def flags(fact: Fact) -> list[str]:
    """The flags of which a fact is true, or any of several facts (joined by |)."""
    return [name for name, facts in FLAGS.items() if facts & fact]


def draws(opt: argparse.Namespace) -> bool:
    """Whether dropout is drawn from --seed, which then changes the map of foreground, too."""
    return bool(getattr(opt, "samples", 0) or getattr(opt, "stochastic", False))
