"""What the quality benchmarks share: run the scripts as a user would, read what they wrote."""

import json
import subprocess
import sys
import time
from pathlib import Path

from util.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def train(name: str, flags: list[str], checkpoints_dir: Path) -> float:
    """Train a run unless it is finished already, from where it was stopped if it was; returns the minutes it took from
    its last start (kept beside the run)."""
    done = checkpoints_dir / name / "minutes.txt"
    if not done.exists():
        start = time.monotonic()
        stopped = (done.parent / "latest_train_state.pth").exists()
        call("train.py", name, flags + ["--continue_train"] * stopped, checkpoints_dir)
        done.write_text(f"{(time.monotonic() - start) / 60:.1f}\n")
    return float(done.read_text())


def test(name: str, flags: list[str], checkpoints_dir: Path, results_dir: Path) -> dict:
    """Test a run and return its metrics.json."""
    call("test.py", name, [*flags, "--results_dir", str(results_dir)], checkpoints_dir)
    newest = max((results_dir / name).glob("*/metrics.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(newest.read_text())


class Failed(UserError):
    """A script ended with `code`, and has said why."""

    def __init__(self, script: str, name: str, code: int):
        super().__init__(f"{script} --name {name}: failed, for the reason above")
        self.code = code


def call(script: str, name: str, flags: list[str], checkpoints_dir: Path) -> None:
    """Run train.py or test.py; what it prints goes to stderr, so that stdout holds the table alone. Raises `Failed`."""
    command = [sys.executable, str(ROOT / script), "--name", name, "--checkpoints_dir", str(checkpoints_dir), *flags]
    if code := subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
        raise Failed(script, name, code)


LUNG_HEADER = ["run", "val Dice (95 %)", "Montgomery", "Shenzhen", "IoU", "precision", "recall", "accuracy", "minutes"]


def lung_row(
    name: str, title: str, minutes: float, checkpoints_dir: Path, results_dir: Path, epoch: str = "latest"
) -> list[str]:
    """A finished run on `val` of the Montgomery and Shenzhen sets, under LUNG_HEADER, whatever it learnt from."""
    flags = ["--phase", "val", "--epoch", epoch, "--source", "", "--gpu_ids", "-1"]
    metrics = test(name, flags, checkpoints_dir, results_dir)
    macro, low, high = metrics["macro"], *metrics["interval"]["macro"]["dice"]
    by_source = [f"{metrics['by_source'][source]['macro']['dice']:.4f}" for source in ("montgomery", "shenzhen")]
    rest = [f"{macro[score]:.4f}" for score in ("iou", "precision", "recall", "accuracy")]
    return [title, f"{macro['dice']:.4f} ({low:.4f} to {high:.4f})", *by_source, *rest, f"{minutes:.0f}"]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
