"""Any network of segmentation_models_pytorch as a generator: `smp:<arch>:<encoder>`, such as smp:unet:resnet34."""

import difflib

import torch
import torch.nn.functional as F
from torch import nn

from util.errors import UserError


class _Norm(nn.BatchNorm2d):
    """Batch norm that goes by its stored statistics where it gets one value a channel: a single image that an arch such
    as DeepLab has pooled, as the last batch of an epoch may be. That has no deviation, and torch refuses it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class SmpGenerator(nn.Module):
    """float [N, input_nc, H, W] -> [N, output_nc, H, W] in [-1, 1], by an encoder and a decoder of random weights.

    arch: of segmentation_models_pytorch (unet, unetplusplus, deeplabv3plus, fpn, ...); encoder: one of its own
    (resnet34, vgg16, mobilenet_v2, ...) or timm's as tu-<name> (tu-inception_v3). H and W must be multiples of
    `multiple`. UserError, with the nearest names, for a network that there is not.
    """

    def __init__(self, input_nc: int, output_nc: int, arch: str, encoder: str):
        super().__init__()
        import segmentation_models_pytorch as smp  # 3 s to import: only for those who need it

        _check(arch, smp.MODEL_ARCHITECTURES_MAPPING, "network")
        if encoder not in smp.encoders.encoders:
            _check(encoder, [*smp.encoders.encoders, *_of_timm()], "encoder")
        try:
            self.net = smp.create_model(arch, encoder, None, in_channels=input_nc, classes=output_nc)
        except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
            raise UserError(f"--netG smp:{arch}:{encoder}: they do not go together: {error}") from error
        for layer in self.net.modules():
            if type(layer) is nn.BatchNorm2d:
                layer.__class__ = _Norm
        self.multiple = max(32, self.net.encoder.output_stride)
        self.tanh = nn.Tanh()
        self.folded: list[nn.Module] = []

    @property
    def encoder(self) -> nn.Module:
        """What can have been trained on something else."""
        return self.net.encoder

    def keep_folded_norms(self) -> None:
        """Leave the encoder's norms that were folded into their convolutions (mean 0, variance 1 - eps) as they are.

        Such a norm does nothing but add its bias, and its weight of 1 is no longer the one it was trained with: to
        count its statistics in batches would make another network of it.
        """
        norms = [layer for layer in self.encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
        self.folded = [
            layer
            for layer in norms
            if not layer.running_mean.any() and ((layer.running_var + layer.eps - 1).abs() < 1e-6).all()
        ]
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


def _of_timm() -> list[str]:
    import timm

    return [f"tu-{name}" for name in timm.list_models()]


def _check(name: str, known, what: str) -> None:
    if name in known:
        return
    few = len(known) < 20
    near = sorted(known) if few else difflib.get_close_matches(name, known, n=5, cutoff=0.5) or sorted(known)[:20]
    raise UserError(
        f"--netG: segmentation_models_pytorch has no {what} {name!r}; there are "
        f"{', '.join(near)}{'' if few else ', ...'}"
    )
