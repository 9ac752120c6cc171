"""Flags and defaults that a model (--model) brings."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models import SEG_LOSS, SEG_LOSSES


def no_flags(group: argparse._ArgumentGroup) -> None:
    """For a model or a data set without flags of its own."""


@dataclass(frozen=True)
class ModelFlags:
    """add_training, add_testing: add the model's own flags to train.py's and to test.py's.

    defaults: values for flags that neither the command line nor the run gives. dataset_mode: the data that suits it.
    """

    dataset_mode: str
    defaults: Mapping[str, object] = field(default_factory=dict)
    add_training: Callable[[argparse._ArgumentGroup], None] = no_flags
    add_testing: Callable[[argparse._ArgumentGroup], None] = no_flags

    def add(self, group: argparse._ArgumentGroup, training: bool) -> None:
        """Add the model's own flags to train.py's, or to test.py's."""
        (self.add_training if training else self.add_testing)(group)


def _add_cycle_gan(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--lambda_A", type=float, default=10.0, help="weight of the cycle A -> B -> A")
    group.add_argument("--lambda_B", type=float, default=10.0, help="weight of the cycle B -> A -> B")
    group.add_argument(
        "--lambda_identity",
        type=float,
        default=0.5,
        help="weight of the identity losses G_A(B) = B and G_B(A) = A, as a share of the cycle's weight (0: none)",
    )
    group.add_argument(
        "--instance_noise",
        type=float,
        default=0.0,
        help="standard deviation of the noise on all images that the discriminators see (images span -1..1); 0.2 "
        "hides how sharp edges are, by which they would recognise masks",
    )
    group.add_argument(
        "--pretrained_B",
        default="twin",
        help="donor that G_B starts from; `twin`: the B -> A generator that was trained together with --pretrained, "
        "or the same donor if there is none; `same`: the same donor; `none`: random weights",
    )


def _add_pix2pix(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--lambda_L1", type=float, default=100.0, help="weight of the L1 loss")
    group.add_argument(
        "--lambda_seg",
        type=float,
        default=0.0,
        help="weight of --seg_loss between output and mask (with --output_nc 1); the log calls it G_seg",
    )
    group.add_argument(
        "--seg_loss",
        default=SEG_LOSS,
        help=f"the loss that --lambda_seg weighs: {', '.join(SEG_LOSSES)}, or a sum such as dice+0.5*bce",
    )


def _add_supervised(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--seg_loss",
        default=SEG_LOSS,
        help=f"loss between output and mask: {', '.join(SEG_LOSSES)}, or a weighted sum of them",
    )


def _add_one_direction(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model_suffix", default="", help="which generator to load: _A or _B of a CycleGAN")


OF_MODELS = {
    "cycle_gan": ModelFlags("unaligned", {"no_dropout": True}, add_training=_add_cycle_gan),
    "pix2pix": ModelFlags(
        "aligned",
        {"norm": "batch", "netG": "unet_256", "pool_size": 0, "gan_mode": "vanilla"},
        add_training=_add_pix2pix,
    ),
    "supervised": ModelFlags(
        "masks",
        {
            "netG": "smp:unet:resnet34",
            "norm": "batch",
            "input_nc": 1,
            "output_nc": 1,
            "batch_size": 8,
            "beta1": 0.9,
        },
        add_training=_add_supervised,
    ),
    "test": ModelFlags("single", add_testing=_add_one_direction),
}
"""By the keys of `models.MODELS`."""
