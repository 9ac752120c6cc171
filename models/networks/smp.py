"""Any network of segmentation_models_pytorch as a generator: `smp:<arch>:<encoder>`, such as smp:unet:resnet34."""

import difflib

import torch
from torch import nn

from util.errors import UserError


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
        self.multiple = max(32, self.net.encoder.output_stride)
        self.tanh = nn.Tanh()

    @property
    def encoder(self) -> nn.Module:
        """What can have been trained on something else."""
        return self.net.encoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tanh(self.net(x))


def _of_timm() -> list[str]:
    import timm

    return [f"tu-{name}" for name in timm.list_models()]


def _check(name: str, known, what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.5) or sorted(known)[:20]
    raise UserError(f"--netG: segmentation_models_pytorch has no {what} {name!r}; there are {', '.join(near)}, ...")
