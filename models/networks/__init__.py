"""Generators, discriminators and their parts, by the flags that choose them. Plain arguments, no options.

A value names what to build as "module:name". It is imported when it is built, so that flags are parsed without torch.
"""

GENERATORS = {
    "unet_64": "models.networks.unet:unet_64",
    "unet_128": "models.networks.unet:unet_128",
    "unet_256": "models.networks.unet:unet_256",
    "resnet_6blocks": "models.networks.resnet:resnet_6blocks",
    "resnet_9blocks": "models.networks.resnet:resnet_9blocks",
    "mobile_resnet_9blocks": "models.networks.mobile_resnet:MobileResnetGenerator",
}
"""--netG, as upstream and GAN Compression have it. smp:ARCH:ENCODER is `models.networks.smp`."""

UNETS = {
    "unet_ronneberger": "models.networks.ronneberger:RonnebergerGenerator",
    "unet_small": "models.networks.small:unet_small",
}
"""--netG: U-Nets that draw their own weights, as their authors did."""

DISCRIMINATORS = {
    "basic": "models.networks.discriminators:basic",
    "n_layers": "models.networks.discriminators:PatchDiscriminator",
    "pixel": "models.networks.discriminators:pixel",
    "spectral": "models.networks.discriminators:spectral",
}
"""--netD"""

NORMS = {
    "instance": "models.networks.layers:instance_norm",
    "batch": "torch.nn:BatchNorm2d",
    "syncbatch": "torch.nn:SyncBatchNorm",
    "none": "models.networks.layers:no_norm",
}
"""--norm: each takes the number of channels."""

INITS = {
    "normal": "models.networks.layers:init_normal",
    "xavier": "models.networks.layers:init_xavier",
    "kaiming": "models.networks.layers:init_kaiming",
    "orthogonal": "models.networks.layers:init_orthogonal",
}
"""--init_type: each takes a weight and a gain."""

INPUT_NORMS = {
    "signed": "models.networks.input_norm:signed",
    "unit": "models.networks.input_norm:unit",
    "imagenet": "models.networks.input_norm:imagenet",
    "zscore": "models.networks.input_norm:zscore",
}
"""--input_norm: each takes the number of channels, and gives a layer or, for "signed", None."""
