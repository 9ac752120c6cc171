"""`--model test`: one generator, one direction, images without targets; for generators that others trained."""

import argparse

import torch

from models.base import BaseModel
from util.errors import UserError


class SingleDirectionModel(BaseModel):
    """Loads `<epoch>_net_G<model_suffix>.pth` and applies it; for test.py only."""

    defaults = {"dataset_mode": "single"}
    labels = ("real", "fake")

    @staticmethod
    def add_options(group: argparse._ArgumentGroup, training: bool) -> None:
        if not training:
            group.add_argument("--model_suffix", default="", help="which generator: _A and _B are CycleGAN's two")

    def __init__(self, opt: argparse.Namespace, device: torch.device, training: bool):
        if training:
            raise UserError("--model test applies a trained generator (test.py); to train take pix2pix or cycle_gan")
        super().__init__(opt, device, training)
        self.translator = f"G{opt.model_suffix}"
        self.add_generator(opt, self.translator)

    def train_step(self, batch: dict) -> dict[str, torch.Tensor]:
        raise NotImplementedError("--model test does not train")

    def pictures(self) -> dict[str, torch.Tensor]:
        return {}
