"""Does an adversary improve masks, and do images without masks? Trained on real X-rays, scored on `val`.

    python -m benchmarks.adversary --dataroot datasets/lungs [--size 128] [--images 10 492] [--seeds 0 1 2] \
        [--ways "L1 alone" upstream spectral teacher "spectral + teacher"]

Draws so many of the training images with masks, others for each seed. With a teacher, the other training images take
part without their masks. Trains the runs that are not trained yet (checkpoints/adversary_*); all see equally many
images with masks. Prints a table: means over the seeds, +- the standard deviation.
"""

from pathlib import Path
from statistics import mean, stdev

import numpy as np
from PIL import Image

from benchmarks.runs import lungs_parser, markdown, test, train, words
from options.flags.types import count
from util.errors import run_script
from util.run.log import read_metrics

COMMON = words(
    "--dataset_mode masks --ngf 16 --ndf 16 --norm batch --augment strong --lambda_L1 1000 --lr 0.0004 --val_freq 0 "
    "--save_epoch_freq 1000 --display_id 0 --gpu_ids -1 --no_html"
)
SPECTRAL = words("--netD spectral --n_layers_D 4 --gan_mode hinge")
WAYS: dict[str, list[str]] = {
    "L1 alone": words("--lambda_L1 1000000"),  # Adam's steps do not depend on the scale, so the adversary has no say
    "upstream": [],
    "spectral": SPECTRAL,
    "teacher": words("--lambda_L1 1000000 --unlabelled rest"),
    "spectral + teacher": [*SPECTRAL, *words("--unlabelled rest")],
}
ACROSS = {  # trained on the masks of one hospital, scored on the other; with a teacher, its images take part
    "montgomery to shenzhen": ("montgomery", "shenzhen"),
    "shenzhen to montgomery": ("shenzhen", "montgomery"),
}
HEADER = ["masks", "way", "Dice", "HD95 (px)", "ASSD (px)", "outside (%)", "accuracy of D, by epoch"]


def row(images: str, way: str, seeds: list[int], args) -> list[str]:
    """A line of the table: a way with so many masks, or from one hospital to another."""
    scores = [scored(images, way, seed, args) for seed in seeds]
    columns = [column(values, digits) for values, digits in zip(zip(*scores, strict=True), (4, 2, 2, 3), strict=False)]
    low, high = (pick(score[part] for score in scores) for pick, part in ((min, 4), (max, 5)))
    return [images, way, *columns, "" if "alone" in way or way == "teacher" else f"{low:.2f} to {high:.2f}"]


def column(values: tuple[float, ...], digits: int) -> str:
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def scored(images: str, way: str, seed: int, args) -> tuple[float, ...]:
    """Train a run unless it is trained already. Returns Dice, HD95, ASSD, pixels outside the two largest parts in %,
    and the lowest and the highest accuracy of D over an epoch."""
    start = f"_from_{Path(args.donor).stem}" if args.donor else ""
    name = f"adversary_{images}_{way}_{args.size}_{args.seen}_{seed}{start}".replace(" ", "_").replace("+", "and")
    flags = [*COMMON, "--dataroot", args.dataroot, *words(f"--load_size {args.size} --crop_size {args.size}")]
    flags += [*words(f"--netG unet_{args.size} --seed {seed} --split_seed {seed}"), *WAYS[way]]
    flags += ["--pretrained", args.donor] if args.donor else []
    source = ACROSS.get(images)
    flags += ["--source", source[0]] if source else ["--train_images", images]
    of = {"montgomery": 96, "shenzhen": 396}[source[0]] if source else int(images)
    epochs = max(3, round(args.seen / of))
    flags += words(f"--n_epochs {epochs // 3} --n_epochs_decay {epochs - epochs // 3}")
    train(name, flags, args.checkpoints_dir)
    tested = ["--phase", "val", "--surface", "--gpu_ids", "-1", "--source", source[1] if source else ""]
    macro = test(name, tested, args.checkpoints_dir, args.results_dir)["macro"]
    masks = max((args.results_dir / name).glob("*/masks"), key=lambda path: path.stat().st_mtime)
    rows = read_metrics(args.checkpoints_dir / name / "metrics.csv")
    accuracies = [(row["acc_D_real"] + row["acc_D_fake"]) / 2 for row in rows]
    return macro["dice"], macro["hd95_px"], macro["assd_px"], outside(masks), min(accuracies), max(accuracies)


def outside(masks: Path) -> float:
    """The share of a mask's pixels that are outside its two largest parts, in %, mean over the masks of a folder."""
    from scipy.ndimage import label

    shares = []
    for path in sorted(masks.glob("*.png")):
        mask = np.asarray(Image.open(path).convert("L")) > 127
        parts = np.zeros(mask.shape, np.int32)
        label(mask, output=parts)
        sizes = np.sort(np.bincount(parts.ravel())[1:])[::-1]
        shares.append(100 * sizes[2:].sum() / max(1, sizes.sum()))
    return float(np.mean(shares))


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--images", nargs="+", default=["10", "492"], metavar="N|WAY", help=f"or {', '.join(ACROSS)}")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=128, choices=(128, 256))
    parser.add_argument("--seen", type=count, default=5904, help="images with masks that a training sees")
    parser.add_argument("--donor", default="", help="a generator to start from; without it, random weights")
    args = parser.parse_args()
    print(markdown(HEADER, [row(images, way, args.seeds, args) for images in args.images for way in args.ways]))


if __name__ == "__main__":
    run_script(main)
