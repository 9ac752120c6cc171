"""Train the donor of a sequence and the runs of a way, except those that are trained already."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.lifelong.sequence import Task
from benchmarks.lifelong.ways import WAYS
from benchmarks.runs import train, words
from models.donors.find import find_donor
from util.files import replacing

CHEAP = words(
    "--no_html --display_id 0 --val_freq 0 --save_epoch_freq 1000000 --save_latest_freq 1000000000 --num_threads 0"
)
"""Nothing is written but what forgetting.py reads."""
OLD = {"old_data": "dataroot", "old_mode": "dataset_mode", "old_classes": "classes", "old_direction": "direction"}


@dataclass(frozen=True)
class Training:
    """sequence: its name. images_seen: by the training of each new task. machine: flags that change no weights."""

    sequence: str
    tasks: list[Task]
    images_seen: int
    machine: list[str]
    checkpoints_dir: Path

    def donor(self) -> str:
        """The name of the donor. It is trained, and sequences with the same first task share it. If --pretrained names
        one it is taken, and copied if it is a file that lies in no run's folder. UserError: it does not exist."""
        task, name = self.tasks[0], f"donor_{self.tasks[0].name}"
        given = task.opt.pretrained
        if not given:
            self._learn(name, task.flags)
            return name
        file = find_donor(given, self.checkpoints_dir)
        if file.name in ("latest_net_G.pth", "latest_net_G_A.pth"):
            return given
        copy = self.checkpoints_dir / name / "latest_net_G.pth"
        copy.parent.mkdir(parents=True, exist_ok=True)
        with replacing(copy, "wb") as written:
            written.write(file.read_bytes())
        return name

    def learn(self, donor: str, way: str, seed: int) -> list[str]:
        """Train a run for each new task, one after the other. Returns their names."""
        runs: list[str] = []
        for task in self.tasks[1:]:
            more = WAYS[way].later if runs else self.old_task() if WAYS[way].holds else ()
            own = [*task.flags, *task.epochs(self.images_seen), *WAYS[way].flags, *more, "--seed", str(seed)]
            start = runs[-1] if WAYS[way].after and runs else donor
            runs.append(f"{self.sequence}_{way}_{seed}_{task.name}")
            self._learn(runs[-1], [*own, "--pretrained", start])
        return runs

    def old_task(self) -> list[str]:
        """The flags that say which images the donor's task has. A donor that was trained here has recorded them."""
        opt = self.tasks[0].opt
        values = {flag: getattr(opt, name) for flag, name in OLD.items()} if opt.pretrained else {}
        return [word for flag, value in values.items() if value for word in (f"--{flag}", str(value))]

    def _learn(self, name: str, own: list[str]) -> None:
        train(name, [*own, *CHEAP, *self.machine], self.checkpoints_dir)
