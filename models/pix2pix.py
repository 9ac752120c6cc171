"""pix2pix: paired image-to-image translation with a conditional GAN (Isola et al. 2017, arXiv 1611.07004)."""

import argparse

import torch
import torch.nn.functional as F

from models import SEG_LOSS
from models.adversary import Adversary
from models.base import BaseModel, check_size
from models.losses import seg_loss, total
from models.networks.define import define_D
from models.networks.generator import as_logits, generate_with_logits
from models.optim.optimizers import descend
from models.teacher import WEIGHT, Lesson
from util.contracts import Batch
from util.errors import UserError


class Pix2PixModel(BaseModel):
    """G minimises GAN + lambda_L1 * |B - G(A)|. D learns to tell (A, B) from (A, G(A)).

    Where B is a mask of one channel, G can also minimise lambda_seg times a loss of masks (`models.losses.seg_loss`).
    """

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        super().__init__(opt, device, training)
        self.add_generator(opt, "G", self.donor(opt))
        if not training:
            return
        if opt.dataset_mode == "unaligned" or getattr(opt, "unpaired", False):
            raise UserError(
                "--model pix2pix learns from pairs; for images without their pictures take --model cycle_gan"
            )
        if opt.lambda_seg and opt.output_nc != 1:
            raise UserError(f"--lambda_seg {opt.lambda_seg}: it is for masks of one channel; add --output_nc 1")
        if opt.seg_loss != SEG_LOSS and not opt.lambda_seg:
            raise UserError(f"--seg_loss {opt.seg_loss}: it has no effect without --lambda_seg; give that too")
        self.lambda_L1, self.lambda_seg = opt.lambda_L1, opt.lambda_seg
        self.seg_loss = seg_loss(opt.seg_loss) if opt.lambda_seg else None
        netD = define_D(
            opt.input_nc + opt.output_nc, opt.ndf, opt.netD, opt.n_layers_D, opt.norm, opt.init_type, opt.init_gain
        )
        self.networks["D"] = netD.to(device)
        self.adversary = Adversary(netD, opt.gan_mode)
        check_size(opt, self.networks, {"G": opt.input_nc, "D": opt.input_nc + opt.output_nc})
        for name, net in self.networks.items():
            self.optimizers[name] = self.optimizer(opt, name)
            net.train()

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        real_A = batch["A"].to(self.device, non_blocking=True)
        real_B = batch["B"].to(self.device, non_blocking=True)
        lesson = self.lesson(batch)
        fake_B, logits = generate_with_logits(self.generator("G"), real_A)
        # As upstream, D steps first, so that G learns from the newest D. One forward pass of G serves both.
        # D is conditional: it sees the input beside the output.
        judged = [torch.cat([real_A, fake_B], 1)]
        if lesson:
            # A mask that nobody drew has to look like one too (Dai et al. 2017, arXiv 1703.08770). D sees it beside the
            # unchanged image, because other grey values would tell that no expert has drawn it.
            judged.append(torch.cat([lesson.images, lesson.fake], 1))
            if judged[0].shape[1:] == judged[1].shape[1:]:  # both at once, for norms over the batch and for speed
                judged = [torch.cat(judged)]
        of_D = self._step_D(torch.cat([real_A, real_B], 1), [batch.detach() for batch in judged])
        losses = self._step_G(real_A, fake_B, real_B, logits, lesson, judged) | of_D
        self.images = {"real_A": real_A, "fake_B": fake_B.detach(), "real_B": real_B}
        return {name: loss.detach() for name, loss in losses.items()}

    def _step_D(self, real: torch.Tensor, fakes: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        judged = self.adversary.judge(real, fakes)
        descend(self.optimizers["D"], judged.loss)
        losses = {"D_real": judged.real, "D_fake": judged.fake}
        if judged.penalty is not None:
            losses["D_GP"] = judged.penalty
        return losses | {f"acc_D_{kind}": share for kind, share in judged.right.items()}

    def _step_G(
        self,
        real_A: torch.Tensor,
        fake_B: torch.Tensor,
        real_B: torch.Tensor,
        logits: torch.Tensor,
        lesson: Lesson | None,
        judged: list[torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        losses = {
            "G_GAN": self.adversary.deceive(judged),
            "G_L1": F.l1_loss(fake_B, real_B) * self.lambda_L1,
        }
        if self.seg_loss:
            losses["G_seg"] = self.seg_loss(logits, (real_B + 1) / 2) * self.lambda_seg
        if self.rival:
            losses |= self.rival.losses(real_A, fake_B)
        if lesson:
            losses["U_L1"] = lesson.l1() * self.lambda_L1 * WEIGHT
        if lesson and self.seg_loss:
            losses["U_seg"] = lesson.seg(self.seg_loss) * self.lambda_seg * WEIGHT
        descend(self.optimizers["G"], total(losses.values()))
        return losses

    def loss(self, fake: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        losses = {"G_L1": F.l1_loss(fake, target) * self.lambda_L1}
        if self.seg_loss:
            losses["G_seg"] = self.seg_loss(as_logits(fake), (target + 1) / 2) * self.lambda_seg
        return losses
