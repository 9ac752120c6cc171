"""A history of generated images for the discriminator (Shrivastava et al. 2017, arXiv 1612.07828)."""

import random

import torch


class ImagePool:
    """Gives a discriminator earlier fakes in place of half of the newest ones.

    size: images kept (0: every query gives back what it was asked with); device: where they lie. Chance comes from a
    generator of its own, on the host, so that no query waits for the device.
    """

    def __init__(self, size: int, seed: int = 0, device: torch.device | str = "cpu"):
        self.size, self.device = size, device
        self._images: list[torch.Tensor] = []
        self._random = random.Random(seed)

    def query(self, images: torch.Tensor) -> torch.Tensor:
        """images: float [N, C, H, W], detached. Returns as many: each is itself, while the pool fills up and at every
        second chance afterwards, or else an earlier one, whose place it takes."""
        return torch.cat([self._swap(image) for image in images.split(1)]) if self.size else images

    def _swap(self, image: torch.Tensor) -> torch.Tensor:
        if len(self._images) < self.size:
            self._images.append(image.clone())  # a view would keep its whole batch in memory
            return image
        if self._random.random() < 0.5:
            return image
        place = self._random.randrange(len(self._images))
        earlier, self._images[place] = self._images[place], image.clone()
        return earlier

    def state_dict(self) -> dict[str, object]:
        """What an exact resume needs."""
        return {"images": [image.cpu() for image in self._images], "random": self._random.getstate()}

    def load_state_dict(self, state: dict) -> None:
        """Take back what `state_dict` gave."""
        self._images = [image.to(self.device) for image in state["images"][: self.size]]
        self._random.setstate(state["random"])
