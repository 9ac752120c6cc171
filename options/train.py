"""The command line of train.py."""

import argparse
import shlex

from models.piggyback import METHODS
from options.base import CHECKPOINTS_DIR, add_base_options, settle
from options.of_training import add_train_options
from options.parser import Script
from options.recorded import changed_flags, read_for_resuming
from util.errors import UserError

TRAIN = Script(
    "Train an image translator, or fine-tune one (--pretrained) into a segmenter.",
    (add_base_options, add_train_options),
    training=True,
    read_run=read_for_resuming,
)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """train.py's options. UserError: mistakes that the user can correct."""
    opt = TRAIN.resolve(TRAIN.typed(argv))
    if opt.n_epochs + opt.n_epochs_decay < opt.epoch_count:
        raise UserError(f"--epoch_count {opt.epoch_count} is past the last epoch (--n_epochs + --n_epochs_decay)")
    if opt.warmup > opt.n_epochs + opt.n_epochs_decay:
        raise UserError(f"--warmup {opt.warmup}: more epochs than there are (--n_epochs + --n_epochs_decay)")
    if opt.augment == "flip" and opt.no_flip:
        raise UserError("--augment flip and --no_flip contradict each other: leave one out")
    if opt.adapt in METHODS and not (opt.pretrained or opt.continue_train):
        raise UserError(f"--adapt {opt.adapt} trains beside a frozen donor: name it with --pretrained")
    opt = settle(opt)
    changed_flags(opt)
    return opt


def as_text(opt: argparse.Namespace) -> str:
    """The options as upstream prints and stores them (train_opt.txt)."""
    return TRAIN.as_text(opt)


def resume_command(opt: argparse.Namespace) -> str:
    """The command that continues this run."""
    default = opt.checkpoints_dir == CHECKPOINTS_DIR
    where = "" if default else f" --checkpoints_dir {shlex.quote(opt.checkpoints_dir)}"
    return f"python train.py --name {shlex.quote(opt.name)}{where} --continue_train"
