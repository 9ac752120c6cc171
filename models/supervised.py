"""A segmenter that is trained on masks alone, without a discriminator: a U-Net, or a GAN's generator to compare."""

import argparse

import torch

from models.base import BaseModel, check_size
from models.losses import seg_loss, total
from models.networks.generator import as_logits, generate_with_logits
from models.norm_stats import normalise_images
from models.optim.optimizers import descend
from models.teacher import WEIGHT
from util.contracts import Batch
from util.errors import UserError


class SupervisedModel(BaseModel):
    """G minimises --seg_loss between its logits and the mask, and for images without one, between its logits and the
    teacher's mask. Its output is 2 p - 1 for a probability p, as a GAN's."""

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        super().__init__(opt, device, training)
        net = self.add_generator(opt, "G", self.donor(opt))
        if not training:
            return
        if opt.dataset_mode == "unaligned" or getattr(opt, "unpaired", False):
            raise UserError(
                "--model supervised learns from pairs; for images without their masks take --model cycle_gan"
            )
        self.seg_loss = seg_loss(opt.seg_loss)
        net.train()
        check_size(opt, self.networks, {"G": opt.input_nc})
        if opt.norm_stats == "image":
            normalise_images(net)
        self.optimizers["G"] = self.optimizer(opt, "G")

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        real_A = batch["A"].to(self.device, non_blocking=True)
        real_B = batch["B"].to(self.device, non_blocking=True)
        lesson = self.lesson(batch)
        fake_B, logits = generate_with_logits(self.generator("G"), real_A)
        losses = {"G_seg": self.seg_loss(logits, (real_B + 1) / 2)}
        if lesson:
            losses["U_seg"] = lesson.seg(self.seg_loss) * WEIGHT
        descend(self.optimizers["G"], total(losses.values()))
        self.images = {"real_A": real_A, "fake_B": fake_B.detach(), "real_B": real_B}
        return {name: loss.detach() for name, loss in losses.items()}

    def loss(self, fake: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"G_seg": self.seg_loss(as_logits(fake), (target + 1) / 2)}
