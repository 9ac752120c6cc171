"""Any network of segmentation_models_pytorch as a generator: `smp:<arch>:<encoder>`, such as smp:unet:resnet34."""

import difflib
from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from util.errors import UserError

from .generator import Generator


class _Norm(nn.BatchNorm2d):
    """Batch norm that uses its stored statistics where training gives it a single value for each channel.

    That happens when an architecture such as DeepLab pools a batch of one image, often the last batch of an epoch. One
    value has no deviation, and torch would raise an error.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.training and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class SmpGenerator(Generator):
    """float [N, input_nc, H, W] -> [N, output_nc, H, W] in [-1, 1], by an encoder and a decoder of random weights.

    arch: an architecture of segmentation_models_pytorch (unet, unetplusplus, deeplabv3plus, fpn, ...). encoder: one of
    its encoders (resnet34, vgg16, mobilenet_v2, ...) or one of timm's as tu-<name> (tu-inception_v3). H and W must be
    multiples of `multiple`. UserError for an unknown network, with the nearest names.
    """

    def __init__(self, input_nc: int, output_nc: int, arch: str, encoder: str):
        super().__init__()
        import segmentation_models_pytorch as smp  # takes 3 s to import

        _check(arch, smp.MODEL_ARCHITECTURES_MAPPING, "network")
        if encoder not in smp.encoders.encoders:
            _check(encoder, [*smp.encoders.encoders, *_of_timm()], "encoder")
        try:
            self.net = smp.create_model(arch, encoder, None, in_channels=input_nc, classes=output_nc)
        except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
            raise UserError(f"--netG smp:{arch}:{encoder}: they do not go together: {error}") from error
        for layer in self.net.modules():
            if type(layer) is nn.BatchNorm2d:
                layer.__class__ = _Norm  # keeps the layer's weights, keys and settings
        self.multiple = max(32, cast(int, self.encoder.output_stride))
        self.tanh = nn.Tanh()
        self.folded: list[nn.Module] = []

    @property
    def encoder(self) -> nn.Module:
        """The part that may have been trained on something else, such as ImageNet."""
        return self.net.get_submodule("encoder")

    def keep_folded_norms(self) -> None:
        """Find the encoder's norms that were folded into their convolutions, and keep them in eval mode from now on.

        Weights made for phones, such as those converted from TFLite, have folded norms: mean 0, variance 1 - eps,
        weight 1. Such a norm only adds its bias, and the weight it was trained with is part of the convolution.
        Normalising by batches would undo that and make another network.
        """
        self.folded = [
            layer for layer in self.encoder.modules() if isinstance(layer, nn.BatchNorm2d) and _folded(layer)
        ]
        for layer in self.folded:
            vars(layer).pop("forward", None)  # of `models.norm_stats.normalise_images`
        self.train(self.training)

    def train(self, mode: bool = True) -> "SmpGenerator":
        super().train(mode)
        for layer in self.folded:
            layer.training = False
        return self

    def load_state_dict(self, *args, **kwargs):
        result = super().load_state_dict(*args, **kwargs)
        self.keep_folded_norms()
        return result

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tanh(self.net(x))


def _folded(norm: nn.BatchNorm2d) -> bool:
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        return False
    return not mean.any() and bool(((variance + norm.eps - 1).abs() < 1e-6).all())


def _of_timm() -> list[str]:
    import timm

    return [f"tu-{name}" for name in timm.list_models()]


def _check(name: str, names: Iterable[str], what: str) -> None:
    """UserError where `name` is none of `names`. what: what they name, "network" or "encoder"."""
    if name in (known := sorted(names)):
        return
    few = len(known) < 20
    near = known if few else difflib.get_close_matches(name, known, n=5, cutoff=0.5) or known[:20]
    raise UserError(
        f"--netG: segmentation_models_pytorch has no {what} {name!r}; there are "
        f"{', '.join(near)}{'' if few else ', ...'}"
    )
