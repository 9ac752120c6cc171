"""Does the audit find bad masks? 20 planted faults, and six masks that are known to follow another convention.

    python -m benchmarks.audit --dataroot datasets/lungs

Copies the X-rays with a mask into results/audit_data_<seed>, in two halves, and spoils 20 of the masks in six ways. A
small U-Net is trained on each half (checkpoints/audit_*), on spoiled masks as on others, and segments the other half.
Then `data.audit` ranks all masks by these segmentations. Prints the ranks as a markdown table, and another one about
copies of images: how alike they are after a change, and different patients' at most. --seed draws the faults and the
halves.
"""

from pathlib import Path

from benchmarks.audit.copies import how_alike
from benchmarks.audit.faults import HALVES, KNOWN, plant
from benchmarks.runs import call, lungs_parser, markdown, train, words
from data.audit.run import audit
from data.audit.table import Entry
from util.errors import run_script

FLAGS = words(
    "--dataset_mode masks --model supervised --netG unet_128 --ngf 16 --batch_size 8 --load_size 128 --crop_size 128 "
    "--n_epochs 6 --n_epochs_decay 6 --lr 0.001 --keep_largest 2 --fill_holes --val_freq 0 --save_epoch_freq 1000 "
    "--display_id 0 --gpu_ids -1"
)


def segmented(folder: Path, seed: int, checkpoints_dir: Path, results_dir: Path) -> list[Path]:
    """Train on each half, unless that is done already, and segment the other one. Returns the folders of results."""
    results = []
    for half, other in (HALVES, HALVES[::-1]):
        name = f"audit_{half}_{seed}"
        train(name, [*FLAGS, "--dataroot", str(folder), "--phase", half], checkpoints_dir)
        call("test.py", name, ["--phase", other, "--gpu_ids", "-1", "--results_dir", str(results_dir)], checkpoints_dir)
        results.append(results_dir / name / f"{other}_latest")
    return results


def report(ranked: list[Entry], spoiled: dict[str, str]) -> str:
    """The ranks of spoiled and known masks as markdown."""
    places = {entry.id: (rank, entry) for rank, entry in enumerate(ranked, 1)}
    rows = [[way, name] for name, way in sorted(spoiled.items(), key=lambda item: (item[1], item[0]))]
    rows += [["known", name] for name in KNOWN]
    lines = []
    for way, name in rows:
        rank, entry = places[name]
        lines.append([way, name, str(rank), entry.kind, f"{entry.found.dice:.3f}" if entry.found else ""])
    first = sum(places[name][0] <= 30 for name in spoiled)
    known = sum(places[name][0] <= 60 for name in KNOWN)
    return "\n".join(
        [
            f"{first} of {len(spoiled)} spoiled masks are among the first 30 of {len(ranked)}, {known} of {len(KNOWN)} "
            "known ones among the first 60.\n",
            markdown(["spoiled", "image", "rank", "kind by the audit", "Dice"], lines),
        ]
    )


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    folder = args.results_dir / f"audit_data_{args.seed}"
    spoiled = plant(args.dataroot, folder, args.seed)
    results = segmented(folder.resolve(), args.seed, args.checkpoints_dir.resolve(), args.results_dir.resolve())
    print(report(audit(results, folder), spoiled))
    images = sorted((folder / "images").iterdir())
    print("", markdown(["copy", "correlation, lowest", "median"], how_alike(images)), sep="\n")


if __name__ == "__main__":
    run_script(main)
