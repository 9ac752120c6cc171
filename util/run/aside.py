"""A new run under an old name: the old run's files move into a folder of their own, and every old run is kept.

They are collected in a hidden folder, and one rename of that folder makes them <run>/before, <run>/before_2, ... If the
process is killed meanwhile, the next new run collects the rest, and --continue_train puts all of them back.
"""

import itertools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from util.errors import UserError
from util.files import read_json, sync_folder, write_json
from util.run.safe import SUFFIX

COLLECTED = ".before"
BURDEN = "old_task.json"
"""What a run kept of its old tasks while it learnt another: `KEPT` of each, and the sums."""
KEPT: Sequence[str] = ("images", "patients", "bytes")
RECORDS = ("train_opt.txt", "loss_log.txt", "metrics.csv", "learnt_from.txt", "masks_seen.json", BURDEN)
OF_TESTS = ("test_opt.txt", "threshold.json", "expected_dice.json")
"""What test.py adds to a run."""
OPTIONS = "options.json"
TASKS = f"*_task_*{SUFFIX}"
NETWORKS = ("*_net_*.pth", TASKS)
"""A run that was killed before its first epoch ended may have other .pth files, but none of these."""
CARD = ("README.md", "card.json")
"""The run's card, and the facts in it (util.show.card)."""
SHOWN = ("web", "tensorboard", *CARD, "*.onnx", "*.pt2", "*.html")
"""The page and the card of the training, and what models.export made of it."""
FOLDS = "folds.json"
"""The record of a cross-validation (util.folds.record), whose runs are in fold_0, fold_1, ..."""


def write_burden(
    folder: Path,
    tasks: Mapping[str, Mapping[str, int]],
    size: int,
    options: Mapping[str, Mapping[str, object]],
) -> dict[str, int]:
    """Record what a run keeps of its old tasks while it learns another, and return the sums. tasks: `KEPT` of each, by
    its name. size: bytes of what the run keeps for all of them together. options: those that read the stored examples
    of a task again."""
    sums = {kind: sum(task[kind] for task in tasks.values()) for kind in KEPT}
    sums["bytes"] += size
    rows = [{"name": name, **kept, "options": options.get(name, {})} for name, kept in tasks.items()]
    write_json(folder / BURDEN, {**sums, "tasks": rows})
    return sums


def read_replayed(folder: Path) -> dict[str, dict[str, object]]:
    """The options that read the stored examples of each old task, as `write_burden` recorded them; {} if it recorded
    none. UserError: the file is damaged."""
    path = folder / BURDEN
    if not path.is_file():
        return {}
    try:
        return {str(task["name"]): dict(task["options"]) for task in read_json(path)["tasks"] if task["options"]}
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path}: damaged ({error}); delete it, and the donor says which images its task has"
        ) from error


def read_burden(folder: Path) -> dict[str, int]:
    """What `write_burden` recorded; {} if a run recorded none. UserError: the file is damaged."""
    path = folder / BURDEN
    if not path.is_file():
        return {}
    try:
        return {name: int(read_json(path)[name]) for name in KEPT}
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: damaged ({error}); delete it, and the page shows no burden") from error


def saved_epochs(folder: Path) -> set[str]:
    """The epochs, latest, best or a number, of which a run's folder holds a generator or a task on one."""
    kinds = {"_net_": "*_net_G*.pth", "_task_": f"*_task_G*{SUFFIX}"}
    return {path.name.split(kind)[0] for kind, pattern in kinds.items() for path in folder.glob(pattern)}


def holds_run(folder: Path) -> bool:
    """Whether a folder holds a run, or those of a cross-validation, that `set_aside` would move, or is moving."""
    return _holds_networks(folder) or (folder / COLLECTED).is_dir()


def _holds_networks(folder: Path) -> bool:
    folds = [f"fold_*/{kind}" for kind in NETWORKS] if (folder / FOLDS).is_file() else []
    return any(any(folder.glob(kind)) for kind in (*NETWORKS, *folds))


def set_aside(folder: Path) -> None:
    """Move an older run's networks, records, page and exports to <folder>/before, or before_2, ... , so that nobody
    takes them for the new run's; of a cross-validation, the runs of all folds. Without networks nothing is moved."""
    collected = folder / COLLECTED
    if not collected.is_dir():
        if not _holds_networks(folder):
            for name in (FOLDS, BURDEN):  # of a run that did not come to its first epoch
                (folder / name).unlink(missing_ok=True)
            return
        collected.mkdir()
    folds = ("fold_*", FOLDS) if (folder / FOLDS).is_file() else ()
    moved = ("*.pth", TASKS, *RECORDS, *OF_TESTS, *SHOWN, *folds)
    for path in [path for pattern in moved for path in folder.glob(pattern)]:
        path.rename(collected / path.name)
    # A copy: --continue_train reads the options before it can put anything back. The new run replaces them at once.
    if (folder / OPTIONS).is_file():
        shutil.copyfile(folder / OPTIONS, collected / OPTIONS)
    sync_folder(collected)
    names = itertools.chain(("before",), (f"before_{number}" for number in itertools.count(2)))
    before = next(folder / name for name in names if not (folder / name).exists())
    collected.rename(before)
    sync_folder(folder)
    print(f"moved the files of the earlier run of this name to {before}")


def put_back(folder: Path) -> None:
    """Undo the work of a `set_aside` that was killed, so that the old run can go on."""
    collected = folder / COLLECTED
    if not collected.is_dir():
        return
    for path in collected.iterdir():
        if path.name != OPTIONS or not (folder / OPTIONS).exists():
            path.rename(folder / path.name)
    (collected / OPTIONS).unlink(missing_ok=True)
    collected.rmdir()
