"""Flags that train.py and test.py share. Names and defaults are upstream's where upstream has the flag."""

import argparse

from options.types import GENERATORS, UNETS, amount, count, cutoff, fraction, generator, limit, whole

NORM_STATS = ("image", "running")
INPUT_NORMS = ("signed", "unit", "imagenet", "zscore")


def add_base_options(parser: argparse.ArgumentParser) -> None:
    """Add the shared flags, grouped."""
    group = parser.add_argument_group("experiment")
    group.add_argument("--dataroot", default="", help="folder of the images (see --dataset_mode)")
    group.add_argument("--name", default="experiment_name", help="where the run lives: <checkpoints_dir>/<name>")
    group.add_argument("--checkpoints_dir", default="./checkpoints", help="folder of all runs")
    group.add_argument("--gpu_ids", default=None, help="-1: the CPU; 0: the first GPU; default: a GPU if there is one")
    group.add_argument("--seed", type=whole, default=0, help="seed of weights, data order, augmentation and dropout")
    group.add_argument("--epoch", default="latest", help="which saved epoch to load: latest, best or a number")
    group.add_argument("--load_iter", type=whole, default=0, help="load iter_<images> instead of --epoch")
    group.add_argument("--suffix", default="", help="added to --name, with flags in braces: {netG}_size{load_size}")
    group.add_argument("--verbose", action="store_true", help="print the networks, and tracebacks of errors")

    group = parser.add_argument_group("networks")
    group.add_argument(
        "--model", default=None, help="training scheme; without the flag what suits --dataset_mode, or else cycle_gan"
    )
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
        choices=INPUT_NORMS,
        help="what the generator gets: pixels in -1..1 (signed, the default), in 0..1 (unit), less "
        "ImageNet's mean over its deviation (imagenet, the default beside --encoder_weights "
        "imagenet but for Inception, which wants signed), or less each image's own mean over its "
        "deviation (zscore)",
    )
    group.add_argument("--netD", default="basic", choices=("basic", "n_layers", "pixel"), help="discriminator")
    group.add_argument("--n_layers_D", type=count, default=3, help="layers of --netD n_layers")
    norms = ("instance", "batch", "syncbatch", "none")
    group.add_argument("--norm", default="instance", choices=norms, help="normalisation")
    inits = ("normal", "xavier", "kaiming", "orthogonal")
    group.add_argument("--init_type", default="normal", choices=inits, help="weight initialisation")
    group.add_argument("--init_gain", type=amount, default=0.02, help="scale of normal, xavier and orthogonal")
    group.add_argument("--no_dropout", action="store_true", help="build the generator without dropout")

    group = parser.add_argument_group("data")
    group.add_argument(
        "--dataset_mode", default=None, help="how the data lies on disk; without the flag what suits --model"
    )
    group.add_argument("--direction", default="AtoB", choices=("AtoB", "BtoA"), help="BtoA swaps input and target")
    group.add_argument(
        "--classes",
        default=None,
        help="what the target's colours mean: lungs (white on black), lungs_dark (black on white, for "
        "--model cycle_gan), facades, or a JSON file",
    )
    group.add_argument("--serial_batches", action="store_true", help="take images in order, without shuffling")
    group.add_argument("--num_threads", type=whole, default=4, help="processes that load data")
    group.add_argument("--batch_size", type=count, default=1, help="images per step")
    group.add_argument("--load_size", type=count, default=286, help="scale training images to this size")
    group.add_argument("--crop_size", type=count, default=256, help="then crop to it; tests scale to it")
    modes = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")
    group.add_argument("--preprocess", default="resize_and_crop", choices=modes, help="how images reach that size")
    group.add_argument(
        "--intensity",
        default="none",
        choices=("none", "minmax", "percentile"),
        help="stretch each image's grey values: its darkest to brightest pixel, or its 1st to 99th "
        "percentile, become black to white",
    )
    group.add_argument(
        "--clahe", action="store_true", help="then even out the image's local contrast (CLAHE, limit 2, 8 x 8 tiles)"
    )
    group.add_argument("--no_flip", action="store_true", help="do not flip training images left to right")
    group.add_argument(
        "--patch",
        type=whole,
        default=0,
        help="side of the patches in pixels that the network sees instead of whole images: in training "
        "drawn at random, half of them around foreground where there is any; in testing and "
        "validation blended to the whole again (0: no patches)",
    )
    group.add_argument(
        "--patch_overlap",
        type=fraction,
        default=0.5,
        help="share of a patch that neighbours have in common in testing and validation",
    )
    group.add_argument("--max_dataset_size", type=limit, default=float("inf"), help="use only the first images")
    group.add_argument("--cache_gb", type=amount, default=4.0, help="memory for decoded images, in GB")
    group.add_argument("--skip_bad_files", action="store_true", help="leave unreadable files out and list them")

    group = parser.add_argument_group("masks")
    group.add_argument(
        "--mask_threshold",
        type=cutoff,
        default=0.5,
        help="foreground from this value on (0..1); auto: the one with the best mean Dice on phase val, stored with "
        "the run (training validates at 0.5); TOP,AREA,BOTTOM: from BOTTOM on, in images with AREA pixels of TOP or "
        "more (0.75,2000,0.3 is known for pneumothorax at 1024 x 1024)",
    )
    group.add_argument("--fill_holes", action="store_true", help="fill holes in masks")
    group.add_argument(
        "--min_area", type=whole, default=0, help="leave out parts of a mask with fewer pixels of the original image"
    )
    group.add_argument(
        "--keep_largest",
        type=whole,
        default=0,
        help="keep only so many largest parts of a mask, such as 2 for lungs (0: all)",
    )
    group.add_argument(
        "--norm_stats",
        default=None,
        choices=NORM_STATS,
        help="batch-norm statistics of a trained generator: of each image itself, as GANs want it, or the stored "
        "running averages, the default of U-Nets (smp:..., unet_ronneberger, unet_small)",
    )
    group.add_argument("--stochastic", action="store_true", help="keep dropout alive in testing, drawn from --seed")
    group.add_argument("--display_winsize", type=count, default=256, help="picture width on pages and panels")


def settle(opt: argparse.Namespace) -> argparse.Namespace:
    """The options with what follows from others where the command line is silent."""
    unet = opt.netG.startswith("smp:") or opt.netG in UNETS
    imagenet = getattr(opt, "encoder_weights", "none") == "imagenet" and not opt.netG.endswith("inception_v3")
    follows = {"norm_stats": "running" if unet else "image", "input_norm": "imagenet" if imagenet else "signed"}
    return argparse.Namespace(**vars(opt) | {key: x for key, x in follows.items() if getattr(opt, key) is None})
