"""Kill a training at every step that it takes on the disk, or at random instants, and go on: tests/test_kills.py.

    python -m tests.kills every FOLDER FLAGS...
    python -m tests.kills random:50 FOLDER FLAGS...

One undisturbed run of these flags is made first. Every other run is a copy of this process (fork), so that it need not
load torch. Prints how many kills there were; exits with a traceback where a run that went on ended otherwise.
"""

import faulthandler
import os
import random
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

import train
from util.run.log import read_losses

STEPS = ("replace", "rename", "unlink", "rmdir", "mkdir")
DEAD = 99
HUNG = 250  # seconds; a copy that hangs ends and says where


def start(folder: Path, flags: list[str]) -> int:
    sys.argv = ["train.py", "--checkpoints_dir", str(folder.parent), "--name", folder.name, *flags]
    return train.main()


def forked(do: Callable[[], object], log: Path) -> int:
    """Run `do` in a copy of this process, its output in a file. Returns the exit code, negative after a signal."""
    if not (child := os.fork()):
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        tqdm.set_lock(threading.RLock())  # its own lock is one for all copies, and stays locked if its holder is killed
        faulthandler.dump_traceback_later(HUNG, exit=True)
        try:
            do()
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(step: int) -> None:
    """From now on, let this process end before its step number `step` on the disk, the first being 1."""
    taken = [0]

    def dying(do: Callable) -> Callable:
        def act(*args, **more):
            taken[0] += 1
            if taken[0] == step:
                os._exit(DEAD)
            return do(*args, **more)

        return act

    for name in STEPS:
        setattr(os, name, dying(getattr(os, name)))


def flat(value: object, name: str = "") -> dict[str, object]:
    if isinstance(value, dict):
        return {key: x for k, v in value.items() for key, x in flat(v, f"{name}.{k}").items()}
    if isinstance(value, list | tuple):
        return flat(dict(enumerate(value)), name)
    return {name: value}


def result(folder: Path) -> dict[str, object]:
    """Everything that a run leaves, without times and dates."""
    contents = {}
    for path in sorted(folder.glob("*.pth")):
        contents |= flat(torch.load(path, weights_only=True), path.name)
    contents = {key: x for key, x in contents.items() if ".files." not in key and ".found." not in key}
    for row in read_losses(folder / "loss_log.txt"):
        losses = {name: x for name, x in row.items() if name not in ("time", "data")}
        contents |= flat(losses, f"loss_log {row['epoch']} {row['iters']}")
    contents["metrics.csv"] = (folder / "metrics.csv").read_text()
    contents["names"] = sorted(path.name for path in folder.iterdir() if not path.name.startswith("before"))
    return contents


def same(one: object, other: object) -> bool:
    return torch.equal(one, other) if torch.is_tensor(one) and torch.is_tensor(other) else one == other


def check(folder: Path, wanted: dict, when: str) -> None:
    got = result(folder)
    different = [key for key in {**wanted, **got} if not same(wanted.get(key), got.get(key))]
    if different:
        key = different[0]
        raise SystemExit(f"killed {when}: {len(different)} differ, such as {key}: {wanted.get(key)} {got.get(key)}")


def go_on(folder: Path, flags: list[str]) -> None:
    """Go on if the run has saved anything, else start it again."""
    saved = (folder / "latest_train_state.pth").exists() or (folder / ".saved").exists()
    start(folder, [*flags, "--continue_train"] if saved else flags)


def survive(kill: Callable[[], object], folder: Path, flags: list[str], wanted: dict, when: str) -> bool:
    """Whether `kill` ended the run before its own end. Such a run goes on and must end like the undisturbed one."""
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_suffix(".log")
    code = forked(lambda: (kill(), start(folder, flags)), log)
    if code == 0:
        return False
    assert code in (DEAD, -signal.SIGALRM), f"{when}: {code}\n{log.read_text()}"
    assert forked(lambda: go_on(folder, flags), log) == 0, f"killed {when}\n{log.read_text()}"
    check(folder, wanted, when)
    return True


def main(how: str, where: str, *flags: str) -> None:
    torch.set_num_threads(1)
    folder = Path(where) / "killed"
    start(Path(where) / "whole", [*flags])  # loads everything
    began = time.monotonic()
    assert forked(lambda: start(Path(where) / "again", [*flags]), Path(where) / "again.log") == 0
    seconds = time.monotonic() - began
    wanted = result(Path(where) / "whole")
    check(Path(where) / "again", wanted, "never")
    kills = 0
    if how == "every":
        while survive(partial(die_at, kills + 1), folder, [*flags], wanted, f"at step {kills + 1}"):
            kills += 1
    else:
        instants = random.Random(0)
        while kills < int(how.split(":")[1]):
            after = seconds * instants.uniform(0.01, 1)
            kill = partial(signal.setitimer, signal.ITIMER_REAL, after)
            kills += survive(kill, folder, [*flags], wanted, f"after {after:.3f} s")
    print(f"{kills} kills")


if __name__ == "__main__":
    main(*sys.argv[1:])
