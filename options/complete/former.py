"""Flags and choices of pytorch-CycleGAN-and-pix2pix, and of its tutorials, that have another name here or none."""

from argparse import ArgumentTypeError

WANDB = "leave it out: losses and scores are in loss_log.txt and metrics.csv, and live in visdom's panels (make visdom)"
FLAGS = {
    "niter": "take --n_epochs",
    "niter_decay": "take --n_epochs_decay",
    "ntest": "take --num_test",
    "how_many": "take --num_test",
    "use_wandb": WANDB,
    "wandb_project_name": WANDB,
    "loadSize": "take --load_size",
    "fineSize": "take --crop_size",
    "batchSize": "take --batch_size",
    "nThreads": "take --num_threads",
    "which_model_netG": "take --netG",
    "which_model_netD": "take --netD",
    "which_direction": "take --direction",
    "which_epoch": "take --epoch",
    "resize_or_crop": "take --preprocess",
    "identity": "take --lambda_identity",
    "no_lsgan": "take --gan_mode vanilla",
    "display_single_pane_ncols": "take --display_ncols",
}
"""What to do instead of a flag, by its name without dashes."""
CHOICES = {
    "template": "upstream's example of an own model; docs/overview.md says how to add one",
    "colorization": "not built; --model pix2pix learns to colour from grey and coloured pictures side by side",
}
"""What became of upstream's values of --model and --dataset_mode."""
NORMS = {
    "sync_batch": "take syncbatch",
    "sync_instance": "take instance, whose statistics are those of one image and need no other process",
}
"""What to do instead of the norms that upstream's README names."""


def norm(word: str) -> str:
    """A --norm; those that upstream's README names are refused with today's."""
    if word in NORMS:
        raise ArgumentTypeError(f"{word}: {NORMS[word]}")
    return word
