"""train.py --fold all: the command of each fold's run, and what must be the same for all of them."""

import argparse
import math
import os
from pathlib import Path

from data.audit.verdicts import left_out
from data.read.splits import fold_numbers, read_splits
from options.recorded import changed_flags
from options.script import Script, as_dict
from util.commands import named, quoted
from util.errors import UserError
from util.files import write_json
from util.flags import Fact, flags
from util.folds.record import OUT_OF_FOLD, Record, read_record, run_of
from util.run.aside import OPTIONS, holds_run, put_back, set_aside


def check_name(opt: argparse.Namespace) -> None:
    """UserError where --name and --fold do not go together: one is of a cross-validation and the other of a run."""
    folder = Path(opt.checkpoints_dir) / opt.name
    again = opt.overwrite and not opt.continue_train  # then a record is moved aside, a damaged one too
    record, single = None if again else read_record(folder), any(folder.glob("*.pth"))
    if getattr(opt, "fold", -1) == "all":
        if "TORCHELASTIC_RUN_ID" in os.environ:
            raise UserError("--fold all starts a process for each fold by itself: leave torchrun out")
        if opt.continue_train and not record:
            raise UserError(f"--continue_train: {folder} is no cross-validation; leave --fold or --continue_train out")
        if single and not opt.overwrite:
            raise UserError(
                f"{folder} holds a single run, and --fold all needs a name for the runs of all folds; take another "
                "--name, or --overwrite, which moves the run into before/ there"
            )
    elif record and opt.continue_train:
        raise UserError(
            f"{folder} is a cross-validation; --fold all goes on with all of it, --name "
            f"{run_of(opt.name, record.folds[0])} with one of its runs"
        )


def planned(opt: argparse.Namespace) -> Record:
    """Which folds there are to train. UserError: fewer than two, or a damaged verdicts.csv."""
    from data.read.folders import existing_folder  # with PIL, which other command lines do not need
    from data.read.matching import match_listed

    root = existing_folder(opt.dataroot)
    if not (list_file := root / "splits.csv").is_file():
        raise UserError(
            f"--fold all: {root} has no splits.csv; python -m data.prepare masks {quoted(root)} --folds 5 writes it, "
            "with folds"
        )
    rows = read_splits(list_file)
    sources = {name.strip() for name in opt.source.split(",") if name.strip()}
    used = [row for row in rows if not sources or row.source in sources] or rows  # its run reports a wrong --source
    if len(numbers := fold_numbers(used, list_file)) < 2:
        raise UserError(f"--fold all: {list_file} lists only fold {numbers[0]}; want at least two")
    images = {row.image for row in rows}
    bad, _ = left_out(root, images, images)
    taking_part = [row for row in rows if row.fold or row.split in (opt.phase, "val")]
    masks_of = match_listed(rows, root).masks_of if (root / "masks").is_dir() else {}
    facts = {}
    for row in taking_part:
        files = [row.image, *(row.masks or masks_of.get(row.image, ()))]
        sizes = [path.stat().st_size for path in files if path.is_file()]
        facts[os.path.relpath(row.image, root)] = [row.fold, row.split, row.patient, row.source, sizes]
    return Record.of(numbers, facts, [os.path.relpath(image, root) for image in bad])


def begin(opt: argparse.Namespace, record: Record) -> Record:
    """Record the options of all folds in checkpoints/<name>, or go on with an earlier start there.

    Returns the record, with the folds that are trained already. UserError: the earlier runs have other flags or other
    folds, or all of them are trained, and neither --continue_train nor --overwrite says what to do.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    if opt.overwrite:
        set_aside(folder)
    else:
        put_back(folder)
    earlier = read_record(folder) if holds_run(folder) else None
    if earlier:
        _check_same(opt, record, earlier)
        record.trained = [k for k in earlier.trained if any((folder.parent / run_of(opt.name, k)).glob("latest_*.pth"))]
        if len(record.trained) == len(record.folds) and not opt.continue_train:
            raise UserError(
                f"{folder}: all {len(record.folds)} folds are trained; python test.py "
                f"{named(opt.name, opt.checkpoints_dir)} --phase {OUT_OF_FOLD} scores them, "
                "--overwrite starts again and keeps the old runs in before/ there"
            )
    else:
        set_aside(folder)  # what is left of a cross-validation that did not come to its first epoch
    write_json(folder / OPTIONS, as_dict(opt) | {"continue_train": False, "overwrite": False})
    record.write(folder)
    return record


def _check_same(opt: argparse.Namespace, record: Record, earlier: Record) -> None:
    """UserError if the runs so far have learnt by other flags than `opt`, or from other folds than those of now."""
    folder = Path(opt.checkpoints_dir) / opt.name
    ways_out = "or take another --name, or --overwrite, which starts all folds again"
    if (record.folds, record.images) != (earlier.folds, earlier.images):
        raise UserError(
            f"{folder}: the data are not what they were when these runs began (folds or training images in splits.csv, "
            f"verdicts.csv, or the images and masks themselves), so that they have learnt from other images than the "
            f"next would; restore them, {ways_out}"
        )
    changed = changed_flags(argparse.Namespace(**vars(opt) | {"continue_train": True}))
    if other := [line for name, line in changed.items() if name not in flags(Fact.BESIDE)]:
        raise UserError(
            f"{folder}: all folds need the same flags, and now there is {', '.join(other)}; leave that out, {ways_out}"
        )


def train_words(script: Script, opt: argparse.Namespace, fold: int) -> list[str]:
    """The words of train.py's command line that train one fold by the options of all."""
    actions = script.all_flags().actions()
    own = {"name": run_of(opt.name, fold), "suffix": "", "fold": fold, "continue_train": False, "overwrite": False}
    words = []
    for name, value in (vars(opt) | own).items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False and value != math.inf:
            form = str(actions[name].metavar or "")  # --balance positives=X holds the number X
            words.append(f"--{name}={form.replace('X', str(value)) if form.endswith('=X') else value}")
    return words


def score_words(opt: argparse.Namespace) -> list[str]:
    """The words of test.py's command line that score each image by the run that has not seen it."""
    words = [f"--name={opt.name}", f"--phase={OUT_OF_FOLD}", f"--checkpoints_dir={opt.checkpoints_dir}"]
    return words + ([f"--gpu_ids={opt.gpu_ids}"] if opt.gpu_ids else [])
