"""Learning without forgetting (Li and Hoiem 2016, arXiv 1606.09282): on new images the frozen donor is a teacher."""

import torch
import torch.nn.functional as F

from models.networks.generator import Generator, generate
from models.norm_stats import inference


class Lwf:
    """The loss weight * |G(x) - donor(x)| of the new task's images x, mean over pixels.

    The paper distils classes, by a cross-entropy. For images Lifelong GAN (Zhai et al. 2019, arXiv 1907.10107) takes
    this distance. The paper also gives each task a last layer of its own. Here all tasks share the generator's picture,
    so this loss pulls against the new task's target, and --old_weight says how much.
    After several tasks the latest network is the only teacher, as in the paper: what it still knows of the tasks
    before its own is in its outputs. donor: that network; it is kept as it is, and applied as in testing.
    """

    def __init__(self, donor: Generator, norm_stats: str, weight: float):
        self._donor, self._norm_stats, self._weight = donor.requires_grad_(False), norm_stats, weight

    @torch.no_grad()
    def _taught(self, images: torch.Tensor) -> torch.Tensor:
        with inference(self._donor, self._norm_stats):
            return generate(self._donor, images)

    def losses(self, images: torch.Tensor, fakes: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"G_LwF": self._weight * F.l1_loss(fakes, self._taught(images))}
