"""CycleGAN: image-to-image translation without pairs (Zhu et al. 2017, arXiv 1703.10593)."""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.nn.utils import parametrize

from models.adversary import Adversary
from models.base import BaseModel, check_size
from models.donors.find import find_donor, find_twin
from models.image_pool import ImagePool
from models.losses import total
from models.networks.define import define_D
from models.networks.generator import generate
from models.optim.optimizers import descend
from util.contracts import Batch
from util.errors import UserError


class CycleGANModel(BaseModel):
    """G_A maps A to B, and D_A learns to tell its results from real B. G_B maps B to A, with D_B against it.

    G_A and G_B minimise GAN + lambda_A * |G_B(G_A(A)) - A| + lambda_B * |G_A(G_B(B)) - B|, and lambda_identity times
    as much for |G_A(B) - B| and |G_B(A) - A|. The discriminators also see earlier fakes (`ImagePool`). With
    --instance_noise, all that they see is noisy (Sonderby et al. 2017, arXiv 1610.04490).
    """

    translator = "G_A"

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        super().__init__(opt, device, training)
        starts = training and not opt.continue_train
        if starts and opt.pretrained_B != "twin" and not opt.pretrained:
            raise UserError(
                f"--pretrained_B {opt.pretrained_B}: it has no effect without --pretrained, which starts G_A; "
                "give that too"
            )
        donor, twin = _donors(opt) if starts and opt.pretrained else (None, None)
        self.add_generator(opt, "G_A", donor)
        self.add_generator(opt, "G_B", twin, backwards=True)
        if donor and not twin:
            self.notes.append("G_B has random weights (--pretrained_B none)")
        if not training:
            return
        if getattr(opt, "unlabelled", ""):
            raise UserError(
                f"--unlabelled {opt.unlabelled}: --model cycle_gan learns from images without masks anyway, with "
                "--unpaired; leave it out, or take --model pix2pix"
            )
        if opt.lambda_identity and opt.input_nc != opt.output_nc:
            raise UserError(
                f"--lambda_identity {opt.lambda_identity}: G_A(B) = B needs --input_nc and --output_nc to "
                "be equal; make them so, or take --lambda_identity 0"
            )
        self.weights = {"A": opt.lambda_A, "B": opt.lambda_B}
        self.identity = opt.lambda_identity
        self.adversaries: dict[str, Adversary] = {}
        for name, channels in (("D_A", opt.output_nc), ("D_B", opt.input_nc)):
            net = define_D(channels, opt.ndf, opt.netD, opt.n_layers_D, opt.norm, opt.init_type, opt.init_gain)
            self.networks[name] = net.to(device)
            self.adversaries[name] = Adversary(net, opt.gan_mode, opt.instance_noise)
        channels = {"G_A": opt.input_nc, "D_B": opt.input_nc, "G_B": opt.output_nc, "D_A": opt.output_nc}
        check_size(opt, self.networks, channels)
        self.pools = {f"D_{side}": ImagePool(opt.pool_size, opt.seed + i, device) for i, side in enumerate("AB")}
        for kind in "GD":
            self.optimizers[kind] = self.optimizer(opt, f"{kind}_A", f"{kind}_B")
        for net in self.networks.values():
            net.train()

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        real_A = batch["A"].to(self.device, non_blocking=True)
        real_B = batch["B"].to(self.device, non_blocking=True)
        # As upstream, the generators step first. A step applies each of them three times; `cached` computes the weights
        # of an adapted one (--adapt) only once.
        with parametrize.cached():
            losses = self._step_G(real_A, real_B)
        losses |= self._step_D()
        order = [f"{name}_{side}" for side in "AB" for name in ("D", "G", "cycle", "idt")]
        order += [name for name in losses if name.startswith("acc_")]
        return {name: losses[name].detach() for name in order if name in losses}

    def _step_G(self, real_A: torch.Tensor, real_B: torch.Tensor) -> dict[str, torch.Tensor]:
        G_A, G_B = self.generator("G_A"), self.generator("G_B")
        images = {"real_A": real_A, "real_B": real_B}
        images["fake_B"] = generate(G_A, real_A)
        images["fake_A"] = generate(G_B, real_B)
        images["rec_A"] = generate(G_B, images["fake_B"])
        images["rec_B"] = generate(G_A, images["fake_A"])
        losses = {
            "G_A": self.adversaries["D_A"].deceive([images["fake_B"]]),
            "G_B": self.adversaries["D_B"].deceive([images["fake_A"]]),
            "cycle_A": F.l1_loss(images["rec_A"], real_A) * self.weights["A"],
            "cycle_B": F.l1_loss(images["rec_B"], real_B) * self.weights["B"],
        }
        if self.identity:
            # As in upstream, idt_A is named after its generator: it is G_A(B), and counts by lambda_B.
            images["idt_A"] = generate(G_A, real_B)
            images["idt_B"] = generate(G_B, real_A)
            losses["idt_A"] = F.l1_loss(images["idt_A"], real_B) * self.weights["B"] * self.identity
            losses["idt_B"] = F.l1_loss(images["idt_B"], real_A) * self.weights["A"] * self.identity
        descend(self.optimizers["G"], total(losses.values()))
        self.images = {name: image.detach() for name, image in images.items()}
        return losses

    def _step_D(self) -> dict[str, torch.Tensor]:
        judged = {}
        for name, side in (("D_A", "B"), ("D_B", "A")):  # D_A judges images of B
            fake = self.pools[name].query(self.images[f"fake_{side}"])
            judged[name] = self.adversaries[name].judge(self.images[f"real_{side}"], [fake])
        losses = {name: of.loss for name, of in judged.items()}
        descend(self.optimizers["D"], total(losses.values()))
        return losses | {f"acc_{name}_{kind}": share for name, of in judged.items() for kind, share in of.right.items()}

    def pictures(self) -> dict[str, torch.Tensor]:
        order = ("real_A", "fake_B", "rec_A", "idt_B", "real_B", "fake_A", "rec_B", "idt_A")
        return {name: self.images[name] for name in order if name in self.images}

    def companions(self, batch: Batch) -> dict[str, torch.Tensor]:
        back = {"rec_A": self.translate(self.translate(batch["A"]), "G_B")}
        if "B" in batch:
            back["fake_A"] = self.translate(batch["B"], "G_B")
            back["rec_B"] = self.translate(back["fake_A"])
        return back


def _donors(opt: argparse.Namespace) -> tuple[Path, Path | None]:
    """The files that G_A and G_B start from."""
    folder = Path(opt.checkpoints_dir)
    donor = find_donor(opt.pretrained, folder)
    if opt.pretrained_B == "none":
        return donor, None
    if opt.pretrained_B == "same":
        return donor, donor
    if opt.pretrained_B == "twin":
        return donor, find_twin(opt.pretrained, folder) or donor
    return donor, find_donor(opt.pretrained_B, folder, "--pretrained_B")
