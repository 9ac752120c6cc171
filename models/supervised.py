"""A segmenter trained on its masks alone, without a discriminator: U-Nets, or a GAN's generator for comparison."""

import argparse

import torch

from models.base import BaseModel, as_logits, check_size, generate_with_logits
from models.losses import SEG_LOSS, SEG_LOSSES, seg_loss
from util.errors import UserError


class SupervisedModel(BaseModel):
    """G minimises --seg_loss between its logits and the mask. G puts out 2 p - 1 for a probability p, as GANs do."""

    defaults = {
        "dataset_mode": "masks",
        "netG": "smp:unet:resnet34",
        "norm": "batch",
        "input_nc": 1,
        "output_nc": 1,
        "batch_size": 8,
        "beta1": 0.9,
    }

    @staticmethod
    def add_options(group: argparse._ArgumentGroup, training: bool) -> None:
        if training:
            group.add_argument(
                "--seg_loss",
                default=SEG_LOSS,
                help=f"loss of the mask: {', '.join(SEG_LOSSES)}, or a weighted sum of them",
            )

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        super().__init__(opt, device, training)
        net = self.add_generator(opt, "G", self.donor(opt))
        self.real_A = self.fake_B = self.real_B = None
        if not training:
            return
        if opt.dataset_mode == "unaligned" or getattr(opt, "unpaired", False):
            raise UserError(
                "--model supervised learns from pairs; for images without their masks take --model cycle_gan"
            )
        self.seg_loss = seg_loss(opt.seg_loss)
        net.train()
        check_size(opt, self.networks, {"G": opt.input_nc})
        self.optimizers["G"] = self.optimizer(opt, "G")

    def train_step(self, batch: dict) -> dict[str, torch.Tensor]:
        self.real_A = batch["A"].to(self.device, non_blocking=True)
        self.real_B = batch["B"].to(self.device, non_blocking=True)
        fake_B, logits = generate_with_logits(self.networks["G"], self.real_A)
        loss = self.seg_loss(logits, (self.real_B + 1) / 2)
        self.optimizers["G"].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers["G"].step()
        self.fake_B = fake_B.detach()
        return {"G_seg": loss.detach()}

    def loss(self, fake: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"G_seg": self.seg_loss(as_logits(fake), (target + 1) / 2)}

    def pictures(self) -> dict[str, torch.Tensor]:
        if self.real_A is None:  # no step yet
            return {}
        return {"real_A": self.real_A, "fake_B": self.fake_B, "real_B": self.real_B}
