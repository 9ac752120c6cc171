"""Flags that train.py and test.py share. Names and defaults are upstream's where upstream has the flag."""

import argparse

from data.enhance import INTENSITY
from data.transforms import PREPROCESS
from models.networks import DISCRIMINATORS, GENERATORS, INITS, INPUT_NORMS, NORMS, UNETS
from models.rivals import WEIGHTS
from options.complete.former import norm
from options.flags.types import amount, count, cutoff, fraction, generator, limit, whole
from util.commands import CHECKPOINTS_DIR

NORM_STATS = ("image", "running")
DIRECTIONS = ("AtoB", "BtoA")


def add_base_options(parser: argparse.ArgumentParser) -> None:
    """Add the shared flags, group by group."""
    _add_experiment(parser.add_argument_group("experiment"))
    _add_networks(parser.add_argument_group("networks"))
    _add_data(parser.add_argument_group("data"))
    _add_sizes(parser.add_argument_group("size and grey values of images"))
    _add_masks(parser.add_argument_group("masks"))


def _add_experiment(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dataroot", default="", help="folder of the images (see --dataset_mode)")
    group.add_argument(
        "--name",
        default="",
        help="name of the run; its folder: <checkpoints_dir>/<name>; default: data and model, as my_lungs_pix2pix",
    )
    group.add_argument("--checkpoints_dir", default=CHECKPOINTS_DIR, help="folder of all runs")
    group.add_argument("--gpu_ids", default=None, help="-1: the CPU; 0: the first GPU; default: a GPU if there is one")
    group.add_argument("--seed", type=whole, default=0, help="seed of weights, data order, augmentation and dropout")
    group.add_argument("--epoch", default="latest", help="which saved epoch to load: latest, best or a number")
    group.add_argument("--load_iter", type=whole, default=0, help="load iter_<images> instead of --epoch")
    group.add_argument("--suffix", default="", help="added to --name; braces hold flags: {netG}_size{load_size}")
    group.add_argument("--verbose", action="store_true", help="print the networks, and tracebacks of errors")


def _add_networks(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model", default=None, help="training scheme; default: suits --dataset_mode, else cycle_gan")
    group.add_argument("--input_nc", type=count, default=3, help="channels of the input: 1 grey, 3 colour")
    group.add_argument("--output_nc", type=count, default=3, help="channels of the output: 1 mask, 3 class colours")
    group.add_argument("--ngf", type=count, default=64, help="generator filters in the outermost layer")
    group.add_argument("--ndf", type=count, default=64, help="discriminator filters in the first layer")
    group.add_argument(
        "--netG",
        type=generator,
        default="resnet_9blocks",
        help=f"generator: {', '.join(GENERATORS)}; {', '.join(UNETS)}: U-Nets of the papers; or "
        "smp:ARCH:ENCODER, any network of segmentation_models_pytorch, such as smp:unet:resnet34",
    )
    group.add_argument(
        "--input_norm",
        default=None,
        choices=tuple(INPUT_NORMS),
        help="scale of the generator's input. signed: -1..1; unit: 0..1; imagenet: by the mean and deviation of "
        "ImageNet's pixels; zscore: by the mean and deviation of each image. Default: imagenet with "
        "--encoder_weights imagenet (but signed for Inception), else signed",
    )
    group.add_argument("--netD", default="basic", choices=tuple(DISCRIMINATORS), help="discriminator")
    group.add_argument("--n_layers_D", type=count, default=3, help="layers of --netD n_layers and spectral")
    group.add_argument("--norm", type=norm, default="instance", choices=tuple(NORMS), help="normalisation")
    group.add_argument("--init_type", default="normal", choices=tuple(INITS), help="weight initialisation")
    group.add_argument("--init_gain", type=amount, default=0.02, help="scale of normal, xavier and orthogonal")
    group.add_argument("--no_dropout", action="store_true", help="build the generator without dropout")
    group.add_argument(
        "--norm_stats",
        default=None,
        choices=NORM_STATS,
        help="statistics that batch norm uses in a trained generator. image: those of each image, as usual for GANs; "
        "running: the stored averages, the default of U-Nets (smp:..., unet_ronneberger, unet_small)",
    )
    group.add_argument("--stochastic", action="store_true", help="keep dropout on in testing, drawn from --seed")


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dataset_mode", default=None, help="layout of the data on disk; default: suits --model")
    group.add_argument("--direction", default="AtoB", choices=DIRECTIONS, help="BtoA swaps input and target")
    group.add_argument(
        "--classes",
        default=None,
        help="meaning of the target's colours: lungs (white on black), lungs_dark (black on white, for --model "
        "cycle_gan), lung_sides, facades, one structure in white (lung, left lung, right lung, heart, pneumothorax, "
        "nodule), or a JSON file or its text",
    )
    group.add_argument("--serial_batches", action="store_true", help="take images in order, without shuffling")
    group.add_argument("--num_threads", type=whole, default=4, help="processes that load data")
    group.add_argument("--batch_size", type=count, default=1, help="images per step")
    group.add_argument("--max_dataset_size", type=limit, default=float("inf"), help="use only the first images")
    group.add_argument("--cache_gb", type=amount, default=4.0, help="memory for decoded images, in GB")
    group.add_argument("--skip_bad_files", action="store_true", help="leave unreadable files out and list them")


def _add_sizes(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--load_size", type=count, default=286, help="scale training images to this size")
    group.add_argument("--crop_size", type=count, default=256, help="then crop to it; tests scale to it")
    group.add_argument(
        "--preprocess", default="resize_and_crop", choices=PREPROCESS, help="how images are brought to that size"
    )
    group.add_argument(
        "--intensity",
        default="none",
        choices=tuple(INTENSITY),
        help="stretch the grey values of each image so that these become black and white: its darkest and brightest "
        "pixel (minmax), or its 1st and 99th percentile",
    )
    group.add_argument(
        "--clahe", action="store_true", help="then even out the image's local contrast (CLAHE, limit 2, 8 x 8 tiles)"
    )
    group.add_argument("--no_flip", action="store_true", help="do not flip training images left to right")
    group.add_argument(
        "--patch",
        type=whole,
        default=0,
        help="show the network square patches of this side in pixels (0: whole images). Training draws them at random, "
        "half of them around foreground if an image has any; testing and validation blend them into the whole image",
    )
    group.add_argument(
        "--patch_overlap",
        type=fraction,
        default=0.5,
        help="share of a patch that neighbouring patches have in common in testing and validation",
    )
    group.add_argument("--display_winsize", type=count, default=256, help="picture width on pages and panels")


def _add_masks(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mask_threshold",
        type=cutoff,
        default=0.5,
        help="pixels from this value on (0..1) are foreground. auto: the threshold with the best mean Dice on phase "
        "val, stored with the run (training validates at 0.5). TOP,AREA,BOTTOM: threshold BOTTOM, but only in images "
        "with at least AREA pixels from TOP on (0.75,2000,0.3 is used for pneumothorax at 1024 x 1024)",
    )
    group.add_argument("--fill_holes", action="store_true", help="fill holes in masks")
    group.add_argument(
        "--min_area", type=whole, default=0, help="remove parts of a mask with fewer pixels of the original image"
    )
    group.add_argument(
        "--keep_largest",
        type=whole,
        default=0,
        help="keep only this many largest parts of a mask, such as 2 for lungs (0: all)",
    )


def settle(opt: argparse.Namespace) -> argparse.Namespace:
    """The options, with defaults that follow from other flags."""
    return argparse.Namespace(**vars(opt) | {key: x for key, x in following(opt).items() if getattr(opt, key) is None})


def following(opt: argparse.Namespace) -> dict[str, object]:
    """The defaults that follow from other flags."""
    unet = opt.netG.startswith("smp:") or opt.netG in UNETS
    imagenet = getattr(opt, "encoder_weights", "none") == "imagenet" and not opt.netG.endswith("inception_v3")
    followed: dict[str, object] = {
        "norm_stats": "running" if unet else "image",
        "input_norm": "imagenet" if imagenet else "signed",
    }
    if getattr(opt, "adapt", "") in WEIGHTS:
        followed["old_weight"] = WEIGHTS[opt.adapt]
    return followed
