"""How well the main job works on real X-rays: from the facades generator to lungs, and the same without pretraining.

    python -m benchmarks.lungs --dataroot datasets/lungs --donor datasets/weights/facades...pth [--runs donor12 ...] \
        [--encoder datasets/weights/mobilenet_v2...pth]

Trains the runs that are not trained yet (checkpoints/bench_*), tests the last epoch on `val` and prints a markdown
table. The settings were chosen on `val`; nothing here looks at `test`.
"""

import os

from benchmarks.runs import LUNG_HEADER, lung_row, lungs_parser, markdown, train, words
from util.errors import run_script

COMMON = words(
    "--dataset_mode masks --netG unet_256 --ngf 16 --ndf 16 --display_id 0 --gpu_ids -1 --save_epoch_freq 1000"
)
PEER = words("--n_epochs 4 --n_epochs_decay 8")  # upstream's own settings for the same job
OURS = words("--lambda_L1 1000 --lr 0.0004 --augment strong --load_size 256")
# a U-Net with MobileNetV2 as its encoder, which has twice the parameters of the generator
UNET = words(
    "--model supervised --netG smp:unet:mobilenet_v2 --input_nc 3 --batch_size 8 --lr 0.0005 --augment strong "
    "--load_size 256"
)

RUNS: dict[str, list[str]] = {
    "donor_upstream12": PEER,
    "donor12": [*PEER, *OURS],
    "scratch12": [*PEER, *OURS],
    "shipped12": [*PEER, *OURS],
    "donor_L1only12": [*PEER, *OURS, "--lambda_L1", "1000000"],
    "donor40": ["--n_epochs", "12", "--n_epochs_decay", "28", *OURS],
    "unet12": [*PEER, *UNET],
    "unet_random12": [*PEER, *UNET],
    # trained on images of one hospital, scored on those of both
    "unet_montgomery": ["--n_epochs", "10", "--n_epochs_decay", "20", *UNET, "--source", "montgomery"],
    "unet_shenzhen": [*PEER, *UNET, "--source", "shenzhen"],
}


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--donor", required=True, help="facades generator (unet_256, ngf 16, batch norm)")
    parser.add_argument("--encoder", default="imagenet", help="ImageNet weights of MobileNetV2 (unet12)")
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS)
    args = parser.parse_args()

    rows = []
    for run in args.runs:
        flags = [*COMMON, "--dataroot", args.dataroot, *RUNS[run]]
        if run.startswith(("donor", "shipped")):
            flags += ["--pretrained", args.donor if run.startswith("donor") else "checkpoints/facades_photo2label"]
        flags += ["--encoder_weights", args.encoder] if run.startswith("unet") and run != "unet_random12" else []
        minutes = train(f"bench_{run}", flags, args.checkpoints_dir)
        rows.append(lung_row(f"bench_{run}", run, minutes, args.checkpoints_dir, args.results_dir))
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}\n")
    print(markdown(LUNG_HEADER, rows))


if __name__ == "__main__":
    run_script(main)
