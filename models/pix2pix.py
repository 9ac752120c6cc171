"""pix2pix: paired image-to-image translation with a conditional GAN (Isola et al. 2017, arXiv 1611.07004)."""

import argparse

import torch
import torch.nn.functional as F

from models.base import BaseModel, as_logits, check_size, generate_with_logits, set_requires_grad
from models.losses import GAN_LOSSES, SEG_LOSS, SEG_LOSSES, gradient_penalty, seg_loss
from models.networks import define_D
from util.errors import UserError


class Pix2PixModel(BaseModel):
    """G minimises GAN + lambda_L1 * |B - G(A)|; D tells (A, B) from (A, G(A)), its loss halved. D steps first.

    Where B is a mask of one channel, G can minimise lambda_seg times a loss of masks too (`models.losses.seg_loss`).
    """

    defaults = {"norm": "batch", "netG": "unet_256", "dataset_mode": "aligned", "pool_size": 0, "gan_mode": "vanilla"}

    @staticmethod
    def add_options(group: argparse._ArgumentGroup, training: bool) -> None:
        if training:
            group.add_argument("--lambda_L1", type=float, default=100.0, help="weight of the L1 loss")
            group.add_argument(
                "--lambda_seg",
                type=float,
                default=0.0,
                help="weight of --seg_loss on the mask (--output_nc 1), in the log as G_seg",
            )
            group.add_argument(
                "--seg_loss",
                default=SEG_LOSS,
                help=f"of --lambda_seg: {', '.join(SEG_LOSSES)}, or a sum such as dice+0.5*bce",
            )

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        super().__init__(opt, device, training)
        self.add_generator(opt, "G", self.donor(opt))
        self.real_A = self.fake_B = self.real_B = None
        if not training:
            return
        if opt.dataset_mode == "unaligned" or getattr(opt, "unpaired", False):
            raise UserError(
                "--model pix2pix learns from pairs; for images without their pictures take --model cycle_gan"
            )
        if opt.lambda_seg and opt.output_nc != 1:
            raise UserError(f"--lambda_seg {opt.lambda_seg}: it is for masks of one channel; add --output_nc 1")
        if opt.seg_loss != SEG_LOSS and not opt.lambda_seg:
            raise UserError(f"--seg_loss {opt.seg_loss}: it counts only with a weight: add --lambda_seg")
        self.lambda_L1, self.lambda_seg = opt.lambda_L1, opt.lambda_seg
        self.seg_loss = seg_loss(opt.seg_loss) if opt.lambda_seg else None
        self.gan_loss = GAN_LOSSES[opt.gan_mode]
        self.penalise = opt.gan_mode == "wgangp"
        netD = define_D(
            opt.input_nc + opt.output_nc, opt.ndf, opt.netD, opt.n_layers_D, opt.norm, opt.init_type, opt.init_gain
        )
        self.networks["D"] = netD.to(device)
        check_size(opt, self.networks, {"G": opt.input_nc, "D": opt.input_nc + opt.output_nc})
        for name, net in self.networks.items():
            self.optimizers[name] = self.optimizer(opt, name)
            net.train()

    def train_step(self, batch: dict) -> dict[str, torch.Tensor]:
        self.real_A = batch["A"].to(self.device, non_blocking=True)
        self.real_B = batch["B"].to(self.device, non_blocking=True)
        self.fake_B, logits = generate_with_logits(self.networks["G"], self.real_A)
        of_D = self._step_D()
        losses = self._step_G(logits) | of_D
        self.fake_B = self.fake_B.detach()
        return {name: loss.detach() for name, loss in losses.items()}

    def _step_D(self) -> dict[str, torch.Tensor]:
        netD, optimizer = self.networks["D"], self.optimizers["D"]
        set_requires_grad(netD, True)
        fake = torch.cat([self.real_A, self.fake_B.detach()], 1)
        real = torch.cat([self.real_A, self.real_B], 1)
        losses = {"D_real": self.gan_loss(netD(real), True), "D_fake": self.gan_loss(netD(fake), False)}
        total = (losses["D_real"] + losses["D_fake"]) / 2
        if self.penalise:
            losses["D_GP"] = gradient_penalty(netD, real, fake)
            total = total + losses["D_GP"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        return losses

    def _step_G(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        netD, optimizer = self.networks["D"], self.optimizers["G"]
        set_requires_grad(netD, False)
        judged = netD(torch.cat([self.real_A, self.fake_B], 1))
        losses = {"G_GAN": self.gan_loss(judged, True), "G_L1": F.l1_loss(self.fake_B, self.real_B) * self.lambda_L1}
        if self.seg_loss:
            losses["G_seg"] = self.seg_loss(logits, (self.real_B + 1) / 2) * self.lambda_seg
        optimizer.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        optimizer.step()
        return losses

    def loss(self, fake: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        losses = {"G_L1": F.l1_loss(fake, target) * self.lambda_L1}
        if self.seg_loss:
            losses["G_seg"] = self.seg_loss(as_logits(fake), (target + 1) / 2) * self.lambda_seg
        return losses

    def pictures(self) -> dict[str, torch.Tensor]:
        if self.real_A is None:  # no step yet
            return {}
        return {"real_A": self.real_A, "fake_B": self.fake_B, "real_B": self.real_B}
