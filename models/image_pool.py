"""A history of generated images for the discriminator (Shrivastava et al. 2017, arXiv 1612.07828)."""

import random

import torch


class ImagePool:
    """Gives a discriminator earlier fakes in place of half of the newest ones.

    A discriminator that sees only the newest fakes may forget how to judge earlier ones, and the two networks can then
    chase each other in circles. Half of the fakes stay new, so that it also follows the generator.

    size: number of images kept; 0 returns every query unchanged. device: where they are kept. Random choices are drawn
    from the pool's own generator on the host, so that no query waits for the device.
    """

    def __init__(self, size: int, seed: int = 0, device: torch.device | str = "cpu"):
        self.size, self.device = size, device
        self._images: list[torch.Tensor] = []
        self._random = random.Random(seed)

    def query(self, images: torch.Tensor) -> torch.Tensor:
        """Return as many images as are given: float [N, C, H, W], detached.

        While the pool fills up, each image is kept and returned. Afterwards, with a chance of one half, an image is
        returned and not kept; otherwise it takes the place of a kept image, which is returned if it has the same size.
        """
        return torch.cat([self._swap(image) for image in images.split(1)]) if self.size else images

    def _swap(self, image: torch.Tensor) -> torch.Tensor:
        if len(self._images) < self.size:
            self._images.append(image.clone())  # a view would keep its whole batch in memory
            return image
        if self._random.random() < 0.5:
            return image
        place = self._random.randrange(len(self._images))
        earlier, self._images[place] = self._images[place], image.clone()
        return earlier if earlier.shape == image.shape else image

    def state_dict(self) -> dict[str, object]:
        """The images and the random state, for an exact resume."""
        return {"images": [image.cpu() for image in self._images], "random": self._random.getstate()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from what `state_dict` returned. ValueError: these are not all images of one kind."""
        self._images = [image.to(self.device) for image in state["images"][: self.size]]
        if len({(image.shape[:2], image.ndim, image.dtype) for image in self._images}) > 1:
            raise ValueError("the pool's images are of several kinds")
        self._random.setstate(state["random"])
