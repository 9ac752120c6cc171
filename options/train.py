"""The command line of train.py."""

import argparse
from importlib.util import find_spec
from pathlib import Path, PureWindowsPath

from models.piggyback import METHODS
from models.rivals import RIVALS
from options.base import add_base_options, following, settle
from options.complete.all_folds import check_name
from options.complete.names import default_name, with_name
from options.flags.of_training import add_train_options
from options.parser import Values
from options.recorded import changed_flags, read_for_resuming
from options.script import Script, with_suffix
from util.commands import named
from util.errors import UserError
from util.flags import Fact, flags
from util.run.aside import holds_run

TRAIN = Script(
    "Train an image translator, or fine-tune one (--pretrained) into a segmenter.",
    (add_base_options, add_train_options),
    training=True,
    read_run=read_for_resuming,
    examples="""examples:
  python train.py @lungs --dataroot datasets/my_lungs --name my_lungs     images/ and masks/ in that folder
  python train.py @quick --dataroot datasets/my_lungs --name first_try    one epoch: a first score in minutes
  python train.py --name my_lungs --continue_train                        go on where it stopped
  python train.py @lungs --dataroot datasets/my_lungs --fold all          cross-validation by the folds of splits.csv
  python train.py @demo_facades                                           drawn images: no data needed""",
    needed=(
        "dataroot",
        "name",
        "pretrained",
        "n_epochs",
        "n_epochs_decay",
        "lr",
        "augment",
        "gpu_ids",
        "continue_train",
        "overwrite",
    ),
)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """train.py's options. UserError: mistakes that the user can correct."""
    typed = TRAIN.typed(argv)
    epoch = str(typed.get("epoch", ""))
    if typed.get("continue_train") and epoch.isdecimal():  # the run goes back to it
        typed = {"epoch_count": int(epoch) + 1} | typed
    opt = TRAIN.resolve(with_name(typed) if typed.get("continue_train") else typed)
    _check_start(opt, typed)
    if opt.n_epochs + opt.n_epochs_decay == 0:
        raise UserError("--n_epochs 0 --n_epochs_decay 0: no epoch to train; raise one of them")
    if opt.n_epochs + opt.n_epochs_decay < opt.epoch_count:
        raise UserError(f"--epoch_count {opt.epoch_count} is past the last epoch (--n_epochs + --n_epochs_decay)")
    if opt.warmup > opt.n_epochs + opt.n_epochs_decay:
        raise UserError(f"--warmup {opt.warmup}: more epochs than there are (--n_epochs + --n_epochs_decay)")
    if opt.augment == "flip" and opt.no_flip:
        raise UserError("--augment flip and --no_flip contradict each other: leave one out")
    if opt.adapt in METHODS and not (opt.pretrained or opt.continue_train):
        raise UserError(f"--adapt {opt.adapt} trains beside a frozen donor: name it with --pretrained")
    if opt.tensorboard and not find_spec("tensorboard"):
        raise UserError('--tensorboard: it needs the extra tensorboard: pip install ".[tensorboard]"')
    _check_old_task(opt)
    opt = settle(opt)
    check_name(opt)
    changed_flags(opt)
    return opt


def _check_start(opt: argparse.Namespace, typed: Values) -> None:
    """UserError for a saved epoch to begin at where none is read, or where it has no number to go on from."""
    if opt.epoch != "latest":
        flag = f"--load_iter {opt.load_iter}" if opt.load_iter else f"--epoch {opt.epoch}"
        if not opt.continue_train:
            raise UserError(f"{flag}: a new run begins with no saved epoch; add --continue_train")
        if "epoch_count" not in typed:
            raise UserError(f"{flag}: say with --epoch_count at which epoch to go on")


def _check_old_task(opt: argparse.Namespace) -> None:
    """UserError where nothing of an old task can be kept, although flags ask for it."""
    holds = [f"--adapt {opt.adapt}"] * (opt.adapt in RIVALS) + [f"--replay {opt.replay}"] * bool(opt.replay)
    if not holds:
        for name in ("old_weight", "old_data", "old_mode", "old_classes", "old_direction"):
            if getattr(opt, name) is not None:
                raise UserError(f"--{name} {getattr(opt, name)}: it needs --adapt {' or '.join(RIVALS)}, or --replay")
        return
    if opt.adapt in METHODS:
        raise UserError(f"{holds[0]}: with --adapt {opt.adapt} the donor is frozen and forgets nothing; leave one out")
    if opt.model != "pix2pix":
        raise UserError(f"{holds[0]}: only for --model pix2pix, not for {opt.model}")
    if not (opt.pretrained or opt.continue_train):
        raise UserError(f"{holds[0]} keeps the task of a donor: name it with --pretrained")
    if opt.adapt in RIVALS and not opt.lambda_L1 + opt.lambda_seg:
        raise UserError(f"{holds[0]}: its loss is in the unit of the new task's, which is 0; raise --lambda_L1")
    if opt.old_weight is not None and opt.adapt not in RIVALS:
        raise UserError(f"--old_weight {opt.old_weight}: it needs --adapt {' or '.join(RIVALS)}")


def refuse_old_run(opt: argparse.Namespace) -> None:
    """UserError where a new run would take the place of an older one that nobody asked to replace."""
    folder = Path(opt.checkpoints_dir) / opt.name
    if not (opt.continue_train or opt.overwrite) and holds_run(folder):
        raise UserError(
            f"{folder} holds a run already: --continue_train goes on with it, --overwrite starts again and keeps the "
            "old run's files in before/ there; or take another --name"
        )


def is_named(opt: argparse.Namespace) -> bool:
    """Whether the run has another name than it would get without --name."""
    return opt.name != with_suffix(argparse.Namespace(**vars(opt) | {"name": default_name(opt)}))


def as_text(opt: argparse.Namespace) -> str:
    """The options as upstream prints and stores them (train_opt.txt)."""
    return TRAIN.as_text(opt)


def in_short(opt: argparse.Namespace) -> str:
    """The options for the console: those that differ from their defaults."""
    file = Path(opt.checkpoints_dir) / opt.name / "train_opt.txt"
    return f"flags that differ from the defaults (all flags: {file}): {TRAIN.changes(opt, following(opt))}"


def card_facts(opt: argparse.Namespace) -> dict[str, str]:
    """What the run's card says of its data, its start and its settings, without the folders of this machine."""
    from data.read.splits import phase_folders
    from models.donors.find import start_in_words

    root, drawn = Path(opt.dataroot or ""), opt.dataset_mode == "phantom"
    split = f"drawn by patient, --split_seed {getattr(opt, 'split_seed', 0)}: 70 % train, 10 % val, 20 % test"
    if (root / "splits.csv").is_file():
        split = "splits.csv"
    elif opt.dataset_mode != "masks":
        split = ""
    elif folders := phase_folders(root / "images"):
        split = f"by folders in images/: {', '.join(folders)}"
    starts = (opt.pretrained, getattr(opt, "pretrained_B", ""))
    return {
        "Data": "drawn by pix2mask" if drawn else f"{root.name} (--dataset_mode {opt.dataset_mode})",
        "Split": split,
        "Start": "; ".join(start_in_words(start, Path(opt.checkpoints_dir)) for start in starts if start)
        or "random weights, or those of --encoder_weights",
        "Settings that differ from the defaults": f"`{_settings(opt)}`",
    }


def _settings(opt: argparse.Namespace) -> str:
    """The flags that differ from their defaults and change the weights. Of a path, its last name."""
    known = {*flags(Fact.RESUMED)} - {*flags(Fact.BESIDE), "skip_bad_files", "dataroot"}
    own = {name: value for name, value in vars(opt).items() if name in known}
    named = {name: value if name == "patient_regex" else _without_folder(value) for name, value in own.items()}
    return TRAIN.changes(argparse.Namespace(**named), following(opt))


def _without_folder(value: object) -> object:
    """The last name of a path, of this system or another: PureWindowsPath knows both separators."""
    if isinstance(value, str) and ("/" in value or "\\" in value):
        return PureWindowsPath(value).name
    return value


def resume_command(opt: argparse.Namespace) -> str:
    """The command that continues this run."""
    return f"python train.py {named(opt.name, opt.checkpoints_dir)} --continue_train"


def test_command(opt: argparse.Namespace, best: bool) -> str:
    """The command that tests this run: its best epoch, or the latest if nothing was validated."""
    return f"python test.py {named(opt.name, opt.checkpoints_dir)}{' --epoch best' if best else ''}"
