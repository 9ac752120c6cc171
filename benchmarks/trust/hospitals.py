"""A donor and the tasks of ten drawn hospitals in one folder, served by segment.py --task auto.

    python -m benchmarks.trust.hospitals OUT
    python -m benchmarks.switch --folder OUT/checkpoints/hospitals

The hospitals see the same kind of drawn chest, each with its own gamma, sharp or blurred. The donor learns house
fronts. All networks are tiny (64x64) and learn for an epoch: the masks are poor, and which task an image finds does not
depend on the training. The table counts the images of phase val, also of the donor's, that found their task.
"""

import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from PIL import Image, ImageFilter

from benchmarks.runs import markdown, parser, train, words
from util.errors import run_script

SIZE, COUNT = 64, 60
HOSPITALS = {
    f"gamma_{gamma}{'_blurred' if blur else ''}": (gamma, blur)
    for gamma in (0.4, 0.6, 1.0, 1.6, 2.5)
    for blur in (0, 1)
}
TINY = words(
    f"--netG unet_64 --ngf 8 --ndf 8 --load_size {SIZE} --crop_size {SIZE} --n_epochs 1 --n_epochs_decay 0 "
    "--val_freq 0 --no_html --gpu_ids -1"
)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("out", type=Path)
    out: Path = flags.parse_args().out
    runs, shared = out / "checkpoints", out / "checkpoints" / "hospitals"
    donor = [*TINY, "--dataset_mode", "phantom", "--phantom", "facades", "--phantom_count", str(COUNT)]
    train("donor", donor, runs)
    draw(out / "facades", "facades")
    draw(out / "chests", "chests")
    shared.mkdir(exist_ok=True)
    shutil.copy(runs / "donor" / "latest_net_G.pth", shared)
    for facade in (out / "facades" / "val").iterdir():
        save(Image.open(facade).crop((0, 0, SIZE, SIZE)), out / "scans" / "base" / facade.name)
    for name, look in HOSPITALS.items():
        make_hospital(out, name, *look)
        how = ["--dataroot", str(out / name), "--dataset_mode", "masks", "--pretrained", "donor", "--adapt", "masks"]
        train(name, [*TINY, *how], runs)
        shutil.copy(runs / name / "latest_task_G.safetensors", shared / f"{name}_task_G.safetensors")
    command = ["segment.py", "hospitals", str(out / "scans"), "--out", str(out / "masks"), "--task", "auto"]
    subprocess.run([sys.executable, *command, "--checkpoints_dir", str(runs), "--gpu_ids", "-1"], check=True)
    print(markdown(["images of", "number", "right", "others"], rows(out / "masks" / "manifest.csv")))


def draw(folder: Path, kind: str) -> None:
    if not folder.exists():
        size = ["--phantom_count", str(COUNT), "--size", str(SIZE)]
        subprocess.run([sys.executable, "-m", "data.phantom", str(folder), "--phantom", kind, *size], check=True)


def make_hospital(out: Path, name: str, gamma: float, blur: float) -> None:
    """The drawn chests as a hospital shows them; those of phase val also among the scans."""
    shutil.copytree(out / "chests", out / name, dirs_exist_ok=True)
    with (out / name / "splits.csv").open(newline="") as file:
        val = {Path(row["image"]).stem for row in csv.DictReader(file) if row["split"] == "val"}
    for path in (out / name / "images").iterdir():
        seen = Image.open(out / "chests" / "images" / path.name).point(
            [round(255 * (grey / 255) ** gamma) for grey in range(256)]
        )
        seen = seen.filter(ImageFilter.GaussianBlur(blur))
        save(seen, path)
        if path.stem in val:
            save(seen, out / "scans" / name / path.name)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def rows(manifest: Path) -> list[list[str]]:
    chosen: dict[str, Counter[str]] = {name: Counter() for name in (*HOSPITALS, "base")}
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file):
            chosen[Path(row["path"]).parent.name][row["task"]] += 1
    return [
        [
            name,
            str(tasks.total()),
            str(tasks.pop(name, 0)),
            ", ".join(f"{other} {count}" for other, count in tasks.most_common()),
        ]
        for name, tasks in chosen.items()
    ]


if __name__ == "__main__":
    run_script(main)
