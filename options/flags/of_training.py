"""Flags that only train.py has. A run records them, so test.py and forgetting.py know them, too."""

import argparse

from data.augment import SETS
from models import GAN_LOSSES
from models.optim import LR_POLICIES, OPTIMIZERS
from models.piggyback import BANKS, METHODS
from models.rivals import RIVALS, WEIGHTS
from options.base import DIRECTIONS
from options.flags.types import amount, count, fraction, part, positives, share, stored, whole


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that only training has, group by group."""
    _add_start(parser.add_argument_group("where the generator starts"))
    _add_old_task(parser.add_argument_group("what is kept of old tasks while all weights learn another one"))
    _add_task(parser.add_argument_group("tasks for a frozen donor (--adapt)"))
    _add_training(parser.add_argument_group("training"))
    _add_schedule(parser.add_argument_group("learning rate"))
    _add_images(parser.add_argument_group("training images and validation"))
    _add_saving(parser.add_argument_group("saving and showing"))


def _add_start(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--pretrained",
        default="",
        help="start the generator from a .pth file, a folder, another run, or a published generator by its name, which "
        "is downloaded if needed (python -m data.download --list)",
    )
    group.add_argument(
        "--adapt",
        default="finetune",
        choices=("finetune", "scratch", *RIVALS, *METHODS),
        help="finetune: train all weights of --pretrained. scratch: the same architecture with random weights, as a "
        "control. ewc, lwf: as finetune, but hold the donor's task, by a penalty on the weights it needs (ewc), or by "
        "the donor's outputs for the new images (lwf). The others keep the donor frozen and train a small task beside "
        "it (latest_task_G.safetensors): a mask for each weight (masks), also with signs (ternary), a few filters and "
        "mixtures of the donor's (filter_bank), a change of low rank (lowrank), only norms and biases (norm_only), "
        "only the last layer (head_only)",
    )
    group.add_argument(
        "--encoder_weights",
        default="none",
        metavar="none|imagenet|FILE",
        help="start the encoder of --netG smp:... from torchvision's ImageNet weights (downloaded if needed), or from "
        "a .pth file: torchvision's or another run's",
    )
    group.add_argument("--continue_train", action="store_true", help="continue exactly where the run stopped")
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="start again under the name of an older run, whose files move into before/, before_2/, ... in its folder",
    )


def _add_old_task(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--old_weight",
        type=amount,
        help=f"weight of what holds the old tasks; default: {', '.join(f'{how} {x:g}' for how, x in WEIGHTS.items())}",
    )
    group.add_argument(
        "--replay",
        type=stored,
        default="",
        metavar="N|all",
        help="rehearse: with each batch also train on as many images of each old task, of N stored ones that --seed "
        "draws, or of all its training images",
    )
    group.add_argument("--old_data", help="folder of the first old task's images; default: what the donor recorded")
    group.add_argument("--old_mode", help="their layout on disk (--dataset_mode)")
    group.add_argument("--old_classes", help="meaning of their targets' colours (--classes)")
    group.add_argument("--old_direction", choices=DIRECTIONS, help="BtoA swaps input and target")


def _add_task(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--mask_init", type=amount, default=1e-2, help="masks, ternary: first value for each weight")
    group.add_argument(
        "--mask_cutoff", type=amount, default=5e-3, help="masks, ternary: keep a weight while its value is above this"
    )
    group.add_argument(
        "--bank_fraction",
        type=part,
        default=0.25,
        help="filter_bank: share of each layer's filters that belongs to the task",
    )
    group.add_argument(
        "--bank",
        default="base",
        choices=BANKS,
        help="filter_bank: mix only the donor's filters (base), or also the filters of the run that --pretrained names "
        "and of its predecessors (cumulative)",
    )
    group.add_argument("--rank", type=count, default=8, help="lowrank: rank of each layer's change")


def _add_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epoch_count", type=count, default=1, help="number of the first epoch")
    group.add_argument("--beta1", type=share, default=0.5, help="momentum of the optimizer")
    group.add_argument("--optimizer", default="adam", choices=tuple(OPTIMIZERS), help="optimizer of all networks")
    group.add_argument(
        "--weight_decay",
        type=amount,
        help="adamw shrinks the weights by this, the others add it to the gradients; default: adamw 0.01, others 0",
    )
    group.add_argument(
        "--clip_grad",
        type=amount,
        default=0.0,
        help="limit the norm of each optimizer's gradients to this before a step (0: no limit)",
    )
    group.add_argument(
        "--amp",
        action="store_true",
        help="let the networks compute in bfloat16 while they train, which is faster on a CPU with AMX; weights, "
        "losses, validation and tests stay in float32",
    )
    group.add_argument(
        "--ema",
        type=fraction,
        default=0.0,
        help="validate and save a moving average of the generators' weights instead of the weights; each step keeps "
        "this share of it, such as 0.999 (0: off, but 0.995 with --unlabelled)",
    )
    group.add_argument(
        "--freeze_encoder",
        type=whole,
        default=0,
        help="keep the encoder of --netG smp:... unchanged during this many epochs",
    )
    group.add_argument("--gan_mode", default="lsgan", choices=tuple(GAN_LOSSES), help="adversarial loss")
    group.add_argument("--pool_size", type=whole, default=50, help="images in the discriminator's pool (0: none)")


def _add_schedule(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--n_epochs", type=whole, default=100, help="epochs at the initial learning rate")
    group.add_argument("--n_epochs_decay", type=whole, default=100, help="epochs of linear decay to zero after them")
    group.add_argument("--lr", type=amount, default=0.0002, help="initial learning rate")
    group.add_argument("--lr_encoder", type=amount, help="initial learning rate of the encoder; default: --lr")
    group.add_argument("--lr_policy", default="linear", choices=tuple(LR_POLICIES), help="learning-rate schedule")
    group.add_argument(
        "--warmup",
        type=whole,
        default=0,
        help="epochs in which the learning rate rises in equal steps to the value of the schedule",
    )
    group.add_argument(
        "--patience",
        type=whole,
        default=5,
        help="--lr_policy plateau: divide the learning rate by 5 after more than this many validations without gain",
    )
    group.add_argument("--lr_decay_iters", type=count, default=50, help="epochs between the drops of --lr_policy step")


def _add_images(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--phase", default="train", help="which part of the data to train on")
    group.add_argument(
        "--augment",
        default="none",
        choices=tuple(SETS),
        help="none, flip: only upstream's crop and flip. strong: also pose and exposure, as if of another patient and "
        "machine. paper003: rotation, shift, shear and zoom; paper004: rotation, zoom and brightness, as in those "
        "papers. All of them flip, unless --no_flip",
    )
    group.add_argument(
        "--balance",
        type=positives,
        metavar="positives=X",
        help="leave out images without a finding, others in each epoch, until this share of the images has one: by "
        "the column label of splits.csv, else by masks with any foreground",
    )
    group.add_argument("--val_freq", type=whole, default=1, help="epochs between validations on phase val (0: none)")
    group.add_argument("--early_stop", type=whole, default=0, help="stop after this many validations without gain")


def _add_saving(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--save_latest_freq", type=count, default=5000, help="images between saves of `latest`")
    group.add_argument("--save_epoch_freq", type=count, default=5, help="epochs between saves under their number")
    group.add_argument("--save_by_iter", action="store_true", help="save `latest` under iter_<images> as well")
    group.add_argument("--print_freq", type=count, default=100, help="images between lines of loss_log.txt")
    group.add_argument("--display_freq", type=count, default=400, help="images between pictures in visdom")
    group.add_argument("--update_html_freq", type=count, default=1000, help="images between pictures on web/index.html")
    group.add_argument("--no_html", action="store_true", help="write no web/index.html")
    group.add_argument("--tensorboard", action="store_true", help="write event files for TensorBoard beside the run")
    group.add_argument("--display_id", type=int, default=1, help="first visdom window; 0 or less: no visdom")
    group.add_argument("--display_ncols", type=int, default=4, help="pictures per row in visdom")
    group.add_argument("--display_server", default="http://localhost", help="visdom server")
    group.add_argument("--display_env", default="main", help="visdom environment")
    group.add_argument("--display_port", type=whole, default=8097, help="visdom port")
