"""Paint, label and relief of a house front, drawn together."""

import numpy as np
from PIL import Image, ImageDraw

from data.classes import FACADES

# Everything is drawn on one fixed canvas and then resized, so a phantom is the same picture at every size.
CANVAS = 512
LABEL = {name: k for k, name in enumerate(FACADES)}
Colour = tuple[int, int, int]


def rgb(values: np.ndarray) -> Colour:
    """Three numbers to a colour that Pillow takes."""
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def tint(colour: Colour, factor: float, shift: np.ndarray | float = 0) -> Colour:
    """A darker or lighter colour."""
    return rgb(np.clip(np.multiply(colour, factor) + shift, 0, 255))


class Painter:
    """Paint, labels and relief of one picture; positions in canvas pixels."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.layers = {
            name: Image.new(mode, (CANVAS, CANVAS))
            for name, mode in (("paint", "RGB"), ("label", "L"), ("relief", "L"))
        }
        self.pens = {name: ImageDraw.Draw(layer) for name, layer in self.layers.items()}

    def pick(self, colours: tuple[Colour, ...], darkest: float = 1, lightest: float = 1) -> Colour:
        """One of the colours, tinted by a factor between `darkest` and `lightest`."""
        return tint(colours[self.rng.integers(len(colours))], self.rng.uniform(darkest, lightest))

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        colour: Colour,
        label: str | None = None,
        relief: int | None = None,
        shape: str = "rectangle",
    ) -> None:
        """Draw a part: paint and relief get its `shape`, the labels its whole box. Without `label` or `relief`, that
        canvas is not changed. shape: rectangle, arch, gable or ellipse."""
        box = [round(x0), round(y0), round(x1) - 1, round(y1) - 1]
        if box[2] < box[0] or box[3] < box[1]:
            return
        for pen, value in ((self.pens["paint"], colour), (self.pens["relief"], relief)):
            if value is None:
                continue
            if shape == "arch" and box[3] - box[1] > (box[2] - box[0]) / 2:
                width = box[2] - box[0]
                pen.pieslice([box[0], box[1], box[2], box[1] + width], 180, 360, fill=value)
                pen.rectangle([box[0], box[1] + width // 2, box[2], box[3]], fill=value)
            elif shape == "gable":
                pen.polygon([box[0], box[3], (box[0] + box[2]) // 2, box[1], box[2], box[3]], fill=value)
            elif shape == "ellipse":
                pen.ellipse(box, fill=value)
            else:
                pen.rectangle(box, fill=value)
        if label is not None:
            self.pens["label"].rectangle(box, fill=LABEL[label])

    def lines(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, pitch: float, upright: bool) -> None:
        """Draw fine parallel lines in a box, `pitch` pixels apart, in paint alone."""
        pen = self.pens["paint"]
        for at in np.arange(x0 if upright else y0, x1 if upright else y1, pitch):
            pen.line([at, y0, at, y1 - 1] if upright else [x0, at, x1 - 1, at], fill=colour)
