"""Does the expected Dice find bad masks of a hospital that a run has not seen?

    python -m benchmarks.trust --dataroot datasets/lungs [--seeds 2]

Trains small U-Nets on one of two hospitals (checkpoints/trust_*), tests them on their own val images and then on train
and val of the other hospital: one run, the same with --tta, and with --seeds 2 or more all runs of a hospital together.
Prints a markdown table. Nothing here looks at `test`. The way to expect a Dice was chosen on all images of Montgomery
and a part of Shenzhen's; those of Shenzhen that are new to it have a row of their own.
"""

from pathlib import Path

from benchmarks.runs import lungs_parser, markdown, train, words
from benchmarks.trust.table import HEADER, chose_the_method, line, rows_of
from util.errors import run_script

FLAGS = words(
    "--dataset_mode masks --model supervised --netG unet_128 --ngf 16 --batch_size 8 --load_size 128 --crop_size 128 "
    "--lr 0.001 --augment strong --save_epoch_freq 1000 --display_id 0 --gpu_ids -1"
)
EPOCHS = {"shenzhen": words("--n_epochs 3 --n_epochs_decay 5"), "montgomery": words("--n_epochs 8 --n_epochs_decay 12")}


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="runs of each hospital")
    args = parser.parse_args()
    if args.seeds < 1:
        parser.error(f"--seeds {args.seeds}: want 1 or more")

    known, lines = chose_the_method(Path(args.dataroot)), []
    for own, other in (("shenzhen", "montgomery"), ("montgomery", "shenzhen")):
        names = [f"trust_{own}_{seed}" for seed in range(args.seeds)]
        for seed, name in enumerate(names):
            flags = [*FLAGS, *EPOCHS[own], "--dataroot", args.dataroot, "--source", own, "--seed", str(seed)]
            train(name, flags, args.checkpoints_dir)
        ways = [("one run", names[0], []), ("--tta", names[0], ["--tta"])]
        ways += [(f"{len(names)} runs", ",".join(names), [])] * (len(names) > 1)
        for way, name, flags in ways:
            rows = rows_of(name, other, flags, args.checkpoints_dir, args.results_dir)
            new = [row for row in rows if row["id"] not in known]
            lines += [
                [f"{own}, {other}", way, part, *line(chosen)]
                for part, chosen in (("all", rows), ("new to the method", new))
                if chosen
            ]
    print(markdown(["trained on, tested on", "way", "images", *HEADER], lines))


if __name__ == "__main__":
    run_script(main)
