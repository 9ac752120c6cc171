"""Flags of train.py."""

import argparse
import shlex
from pathlib import Path

from options.base import add_base_options, settle
from options.parser import parse as parse_flags
from options.parser import with_suffix
from options.types import amount, count, fraction, part, positives, share, whole
from util.errors import UserError
from util.files import read_options

FROZEN = ("masks", "ternary", "filter_bank", "lowrank", "norm_only", "head_only")


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that only training has."""
    group = parser.add_argument_group("training")
    group.add_argument("--phase", default="train", help="which part of the data to train on")
    group.add_argument(
        "--pretrained",
        default="",
        help="start the generator from a .pth, a folder, another run, or a published one by its name, "
        "downloaded if need be (python -m data.download --list)",
    )
    ways = ("finetune", "scratch", *FROZEN)
    group.add_argument(
        "--adapt",
        default="finetune",
        choices=ways,
        help="finetune: train all weights of --pretrained; scratch: a generator of its make with random "
        "weights, as a control; the others freeze the donor and train a small task beside it "
        "(latest_task_G.pth): a mask per weight, also with signs (ternary), a few filters and "
        "mixtures of the donor's (filter_bank), a change of low rank, only norms and biases, only "
        "the last layer",
    )
    group.add_argument("--mask_init", type=amount, default=1e-2, help="masks, ternary: each weight's first value")
    group.add_argument(
        "--mask_cutoff", type=amount, default=5e-3, help="masks, ternary: a weight is kept while its value is above"
    )
    group.add_argument(
        "--bank_fraction",
        type=part,
        default=0.25,
        help="filter_bank: share of each layer's filters that is the task's own",
    )
    group.add_argument(
        "--bank",
        default="base",
        choices=("base", "cumulative"),
        help="filter_bank: mix the donor's filters only, or those of the run's that --pretrained names "
        "and of all that it built on as well",
    )
    group.add_argument("--rank", type=count, default=8, help="lowrank: rank of each layer's change")
    group.add_argument(
        "--encoder_weights",
        default="none",
        metavar="none|imagenet|FILE",
        help="start the encoder of --netG smp:... from ImageNet's weights, as torchvision has them "
        "(downloaded if need be), or from a .pth file: torchvision's or another run's",
    )
    group.add_argument("--continue_train", action="store_true", help="go on exactly where the run stopped")
    group.add_argument("--epoch_count", type=count, default=1, help="number of the first epoch")
    group.add_argument("--n_epochs", type=whole, default=100, help="epochs at the initial learning rate")
    group.add_argument("--n_epochs_decay", type=whole, default=100, help="epochs of linear decay to zero after them")
    group.add_argument("--beta1", type=share, default=0.5, help="momentum of the optimizer")
    group.add_argument("--lr", type=amount, default=0.0002, help="initial learning rate")
    group.add_argument("--optimizer", default="adam", choices=("adam", "adamw", "sgd"), help="of all networks")
    group.add_argument(
        "--weight_decay",
        type=amount,
        help="added to the gradients, or by adamw taken off the weights; default: adamw 0.01, others 0",
    )
    group.add_argument(
        "--clip_grad",
        type=amount,
        default=0.0,
        help="limit the norm of each optimizer's gradients, as it stands before a step (0: none)",
    )
    group.add_argument(
        "--ema",
        type=fraction,
        default=0.0,
        help="validate and save a moving average of the generators' weights instead of them: the share "
        "of it that each step keeps, such as 0.999 (0: off)",
    )
    group.add_argument(
        "--freeze_encoder",
        type=whole,
        default=0,
        help="epochs during which nothing in the encoder of --netG smp:... changes",
    )
    group.add_argument("--lr_encoder", type=amount, help="initial learning rate of that encoder; default: --lr")
    gans = ("lsgan", "vanilla", "wgangp")
    group.add_argument("--gan_mode", default="lsgan", choices=gans, help="adversarial loss")
    group.add_argument("--pool_size", type=whole, default=50, help="images in the discriminator's pool (0: none)")
    policies = ("linear", "step", "plateau", "cosine")
    group.add_argument("--lr_policy", default="linear", choices=policies, help="learning-rate schedule")
    group.add_argument(
        "--warmup",
        type=whole,
        default=0,
        help="epochs during which the learning rate rises in equal steps to that of the schedule",
    )
    group.add_argument(
        "--patience",
        type=whole,
        default=5,
        help="--lr_policy plateau: after more than so many validations without gain it is divided by 5",
    )
    group.add_argument("--lr_decay_iters", type=count, default=50, help="epochs between the drops of --lr_policy step")
    sets = ("none", "flip", "paper003", "paper004", "strong")
    group.add_argument(
        "--augment",
        default="none",
        choices=sets,
        help="none, flip: no more than upstream's crop and flip; strong: also pose and exposure, as of "
        "another patient and machine; paper003: rotation, shift, shear and zoom; paper004: "
        "rotation, zoom and brightness, as in those papers. All flip, unless --no_flip",
    )
    group.add_argument(
        "--balance",
        type=positives,
        metavar="positives=X",
        help="leave out images, others in every epoch, until this share of them has a finding: by the "
        "column label of splits.csv, else by masks with any foreground",
    )
    group.add_argument("--val_freq", type=whole, default=1, help="epochs between validations on phase val (0: none)")
    group.add_argument("--early_stop", type=whole, default=0, help="stop after so many validations without gain")

    group = parser.add_argument_group("saving and showing")
    group.add_argument("--save_latest_freq", type=count, default=5000, help="images between saves of `latest`")
    group.add_argument("--save_epoch_freq", type=count, default=5, help="epochs between saves under their number")
    group.add_argument("--save_by_iter", action="store_true", help="save `latest` under iter_<images> as well")
    group.add_argument("--print_freq", type=count, default=100, help="images between lines of loss_log.txt")
    group.add_argument("--display_freq", type=count, default=400, help="images between pictures in visdom")
    group.add_argument("--update_html_freq", type=count, default=1000, help="images between pictures on web/index.html")
    group.add_argument("--no_html", action="store_true", help="write no web/index.html")
    group.add_argument("--display_id", type=int, default=1, help="first visdom window; 0 or less: no visdom")
    group.add_argument("--display_ncols", type=int, default=4, help="pictures per row in visdom")
    group.add_argument("--display_server", default="http://localhost", help="visdom server")
    group.add_argument("--display_env", default="main", help="visdom environment")
    group.add_argument("--display_port", type=whole, default=8097, help="visdom port")


def parse(models: dict[str, type], datasets: dict[str, type], argv: list[str] | None = None) -> argparse.Namespace:
    """train.py's options; UserError for what the user can mend."""
    description = "Train an image translator, or fine-tune one (--pretrained) into a segmenter."
    adders = [add_base_options, add_train_options]
    opt = parse_flags(argv, description, adders, models, datasets, training=True, run_defaults=_recorded)
    if opt.n_epochs + opt.n_epochs_decay < opt.epoch_count:
        raise UserError(f"--epoch_count {opt.epoch_count} is past the last epoch (--n_epochs + --n_epochs_decay)")
    if opt.warmup > opt.n_epochs + opt.n_epochs_decay:
        raise UserError(f"--warmup {opt.warmup}: more epochs than there are (--n_epochs + --n_epochs_decay)")
    if opt.augment == "flip" and opt.no_flip:
        raise UserError("--augment flip and --no_flip contradict each other: leave one out")
    if opt.adapt in FROZEN and not (opt.pretrained or opt.continue_train):
        raise UserError(f"--adapt {opt.adapt} trains beside a frozen donor: name it with --pretrained")
    return settle(opt)


def resume_command(opt: argparse.Namespace) -> str:
    """The command that continues this run."""
    default = opt.checkpoints_dir == opt.stated_defaults["checkpoints_dir"]
    where = "" if default else f" --checkpoints_dir {shlex.quote(opt.checkpoints_dir)}"
    return f"python train.py --name {shlex.quote(opt.name)}{where} --continue_train"


def _recorded(known: argparse.Namespace) -> dict[str, object]:
    """A run that is continued keeps its options; a run of upstream's has none recorded, and the flags must be given."""
    if not known.continue_train:
        return {}
    folder = Path(known.checkpoints_dir) / with_suffix(known)
    if not folder.is_dir():
        raise UserError(f"--continue_train: there is no run {folder}; check --name and --checkpoints_dir")
    path = folder / "options.json"
    here = {"name", "suffix", "checkpoints_dir", "continue_train", "epoch", "load_iter", "num_threads", "verbose"}
    return {key: value for key, value in read_options(path).items() if key not in here} if path.is_file() else {}
