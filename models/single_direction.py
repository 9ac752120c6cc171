"""`--model test`: one generator and images without targets, for generators that were trained elsewhere."""

import argparse

import torch

from models.base import BaseModel
from util.contracts import Batch
from util.errors import UserError


class SingleDirectionModel(BaseModel):
    """Loads `<epoch>_net_G<model_suffix>.pth` and applies it; for test.py only."""

    labels = ("real", "fake")

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        if training:
            raise UserError("--model test applies a trained generator (test.py); to train take pix2pix or cycle_gan")
        super().__init__(opt, device, training)
        self.translator = f"G{opt.model_suffix}"
        self.add_generator(opt, self.translator)

    def train_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        raise NotImplementedError("--model test does not train")
