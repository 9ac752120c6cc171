"""Shared by the benchmarks: their command lines, runs of the scripts as a user starts them, tables."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import options.train
from options.recorded import read_run
from options.script import as_dict
from util.errors import UserError
from util.flags import Fact
from util.flags import flags as flags_with

ROOT = Path(__file__).resolve().parent.parent


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser whose help begins with a module's docstring, line by line as it is written."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def lungs_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser for benchmarks that train on the X-rays of a folder."""
    made = parser(description)
    made.add_argument("--dataroot", required=True, help="X-rays: a folder with images/, masks/ and splits.csv")
    made.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    made.add_argument("--results_dir", type=Path, default=Path("results"))
    return made


def words(flags: str) -> list[str]:
    """Flags as they are typed, to a list for a parser."""
    return flags.split()


def train(name: str, flags: list[str], checkpoints_dir: Path) -> float:
    """Train a run, or resume one that was stopped. A finished run stays as it is.

    Returns the minutes of training since its last start, which minutes.txt in the run's folder holds. UserError: there
    is such a run, and it was trained with other flags.
    """
    minutes = checkpoints_dir / name / "minutes.txt"
    _check_flags(minutes.parent, [*flags, "--name", name, "--checkpoints_dir", str(checkpoints_dir)])
    if not minutes.exists():
        start = time.monotonic()
        stopped = (minutes.parent / "latest_train_state.pth").exists()
        call("train.py", name, flags + ["--continue_train"] * stopped, checkpoints_dir)
        minutes.write_text(f"{(time.monotonic() - start) / 60:.1f}\n")
    return float(minutes.read_text())


def _check_flags(folder: Path, flags: list[str]) -> None:
    recorded = read_run(folder)
    if not recorded:
        return
    opt = options.train.parse(flags)
    wanted, defaults = as_dict(opt), options.train.TRAIN.default_values(opt.model, opt.dataset_mode)
    different = [
        f"--{flag} {recorded.get(flag)} (now {wanted.get(flag)})"
        for flag in sorted({*flags_with(Fact.RESUMED)} - {*flags_with(Fact.BESIDE)})
        if recorded.get(flag) != wanted.get(flag)
        and not (flag not in recorded and wanted.get(flag) == defaults.get(flag))  # it is newer than the run
    ]
    if different:
        raise UserError(
            f"{folder} was trained with other flags: {', '.join(different)}; delete it, or name another "
            "--checkpoints_dir"
        )


def test(name: str, flags: list[str], checkpoints_dir: Path, results_dir: Path) -> dict:
    """Test a run and return its metrics.json."""
    return json.loads((tested(name, flags, checkpoints_dir, results_dir) / "metrics.json").read_text())


def tested(name: str, flags: list[str], checkpoints_dir: Path, results_dir: Path) -> Path:
    """Test a run, or an ensemble ("a,b"), and return the folder of its results."""
    call("test.py", name, [*flags, "--results_dir", str(results_dir)], checkpoints_dir)
    files = (results_dir / name.replace(",", "+")).glob("*/metrics.json")
    return max(files, key=lambda path: path.stat().st_mtime).parent


def compare(
    page: str, donor: str, runs: dict[str, str], flags: list[str], checkpoints_dir: Path, results_dir: Path
) -> tuple[Path, dict]:
    """Compare runs, by their labels, with forgetting.py. Returns its page and its forgetting.json."""
    labelled = [f"{label}={names}" for label, names in runs.items()]
    where = ["--donor", donor, "--runs", *labelled, "--results_dir", str(results_dir)]
    call("forgetting.py", page, [*where, *flags], checkpoints_dir)
    newest = max(results_dir.glob(f"{page}*/forgetting.json"), key=lambda path: path.stat().st_mtime)
    return newest.with_name("index.html"), json.loads(newest.read_text())


class Failed(UserError):
    """A script printed an error and ended with `code`."""

    def __init__(self, script: str, name: str, code: int):
        super().__init__(f"{script} --name {name} failed; its error is above")
        self.code = code


def call(script: str, name: str, flags: list[str], checkpoints_dir: Path) -> None:
    """Run a script. Its output goes to stderr, so that stdout holds only the benchmark's table. Raises `Failed`."""
    command = [sys.executable, str(ROOT / script), "--name", name, "--checkpoints_dir", str(checkpoints_dir), *flags]
    if code := subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
        raise Failed(script, name, code)


LUNG_HEADER = ["run", "val Dice (95 %)", "Montgomery", "Shenzhen", "IoU", "precision", "recall", "accuracy", "minutes"]


def lung_row(
    name: str, title: str, minutes: float, checkpoints_dir: Path, results_dir: Path, epoch: str = "latest"
) -> list[str]:
    """A table's line under LUNG_HEADER: a run's scores on all of `val`, also of hospitals that it did not train on."""
    flags = ["--phase", "val", "--epoch", epoch, "--source", "", "--gpu_ids", "-1"]
    metrics = test(name, flags, checkpoints_dir, results_dir)
    macro, low, high = metrics["macro"], *metrics["interval"]["macro"]["dice"]
    by_source = [f"{metrics['by_source'][source]['macro']['dice']:.4f}" for source in ("montgomery", "shenzhen")]
    others = [f"{macro[score]:.4f}" for score in ("iou", "precision", "recall", "accuracy")]
    return [title, f"{macro['dice']:.4f} ({low:.4f} to {high:.4f})", *by_source, *others, f"{minutes:.0f}"]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
