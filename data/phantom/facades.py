"""A procedural photograph of a house front with its CMP label map.

A front (`data.phantom.house`) is drawn as a mason builds it: wall, mouldings, then floor by floor the windows with
their sills, cornices and blinds, and at last doors and shops. Each part is drawn on three canvases at once: its paint,
its label, and its relief, which is how far it projects from the wall. Light that falls on the relief gives edges and
shadows. As in the real set, labels are upright rectangles even if the part is round, and trees and cars before the
house have no label."""

import numpy as np
from PIL import Image

from data.phantom.house import draw_front
from data.phantom.painter import CANVAS, Colour, Painter, rgb, tint
from data.phantom.shapes import smooth_noise

WALLS = (
    (222, 205, 165),
    (206, 178, 125),
    (214, 208, 196),
    (196, 190, 180),
    (203, 160, 138),
    (170, 176, 160),
    (226, 214, 190),
    (160, 120, 95),
    (150, 88, 70),
    (236, 232, 224),
    (188, 182, 150),
    (140, 140, 142),
)
ROOFS = ((120, 62, 48), (90, 86, 84), (70, 66, 66), (140, 80, 60), (105, 98, 92))
SKIES = ((150, 185, 225), (205, 212, 220), (240, 240, 240), (120, 160, 210))


def facade(index: int, seed: int = 0, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The phantom house front number `index` of the series `seed`.

    Returns (photo uint8 [size, size, 3]; labels uint8 [size, size], the classes of `data.classes.FACADES`, 0..11).
    """
    rng = np.random.default_rng([seed, index])
    u = rng.uniform
    p = Painter(rng)
    x0, x1 = u(-40, 70), CANVAS - u(-40, 70)
    top, street = u(40, 150), u(440, 520)
    wall = tint(p.pick(WALLS, 0.75, 1.1), 1, rng.normal(0, 8, 3))
    _surroundings(p, x0, x1, top, street, wall)
    draw_front(p, x0, x1, top, street, wall)
    _things_before(p, street)
    return _photograph(p, size), np.asarray(p.layers["label"].resize((size, size), Image.Resampling.NEAREST))


def _surroundings(p: Painter, x0: float, x1: float, top: float, street: float, wall: Colour) -> None:
    """Sky, neighbours, roof, street."""
    rng, u = p.rng, p.rng.uniform
    sky = np.array(p.pick(SKIES), float)
    ramp = np.linspace(0, 1, CANVAS)[:, None, None] ** 0.5
    clouds = np.clip(smooth_noise(rng, CANVAS, 5)[..., None], 0, 1) * 25
    picture = np.clip(sky + ramp * (240 - sky) * 0.6 + clouds, 0, 255).astype(np.uint8)
    p.layers["paint"].paste(Image.fromarray(picture))
    for left, right in ((-60, x0), (x1, CANVAS + 60)):
        if right - left > 70:
            other = p.pick(WALLS, 0.6, 1.0)
            roof = top + u(-60, 90)
            p.box(left, roof, right, CANVAS, other, relief=40)
            p.box(left, roof, right, roof + 10, tint(other, 0.8), relief=60)
            centre, pitch = (left + 15 if left > 0 else right - 25), u(70, 100)
            for y in np.arange(roof + 35, street - 60, pitch):
                p.box(centre - 12, y, centre + 12, y + pitch * 0.55, (70, 76, 84), "window", 25)
    roof = p.pick(ROOFS)
    if u() < 0.75:
        height, hip = u(15, 70), u(0, 40)
        p.pens["paint"].polygon([x0, top, x0 + hip, top - height, x1 - hip, top - height, x1, top], fill=roof)
        p.lines(x0 + hip, top - height, x1 - hip, top, tint(roof, 0.85), 5, upright=False)
        for x in np.arange(x0 + u(20, 60), x1 - 50, u(70, 160)):
            if height > 35 and u() < 0.7:
                p.box(x, top - height * 0.75, x + 28, top - 4, tint(wall, 0.9), relief=60)
                p.box(x + 5, top - height * 0.6, x + 23, top - 6, (60, 66, 76), "window")
            elif u() < 0.3:
                p.box(x, top - height - 25, x + 16, top - height * 0.7, (130, 85, 70))
    p.box(0, street, CANVAS, CANVAS, tint((120, 118, 116), u(0.7, 1.2)))
    p.box(0, street, CANVAS, street + 8, tint((165, 162, 158), u(0.8, 1.1)))


def _things_before(p: Painter, street: float) -> None:
    """Cars, trees and lamps between the camera and the house."""
    rng, u, pen = p.rng, p.rng.uniform, p.pens["paint"]
    for _ in range(rng.choice(3, p=[0.5, 0.3, 0.2])):
        x, paint = u(-20, CANVAS - 60), rgb(rng.integers(30, 220, 3))
        base = min(street + 16, CANVAS - 4)
        pen.rounded_rectangle([x + 18, base - 34, x + 78, base - 10], 9, fill=tint(paint, 0.8))
        pen.rectangle([x + 25, base - 30, x + 71, base - 20], fill=(50, 56, 64))
        pen.rounded_rectangle([x, base - 21, x + 100, base], 7, fill=paint)
        for wheel in (x + 14, x + 70):
            pen.ellipse([wheel, base - 8, wheel + 16, base + 8], fill=(25, 25, 25))
    if u() < 0.2:
        x, crown = u(30, CANVAS - 30), u(300, 400)
        pen.rectangle([x - 3, crown, x + 3, street + 8], fill=(60, 48, 38))
        for _ in range(160):
            leaf_x, leaf_y, r = x + rng.normal(0, 26), crown + rng.normal(0, 32), u(3, 9)
            pen.ellipse([leaf_x - r, leaf_y - r, leaf_x + r, leaf_y + r], fill=tint((60, 90, 45), u(0.5, 1.3)))
    if u() < 0.2:
        x = u(10, CANVAS - 10)
        pen.rectangle([x - 2, u(150, 300), x + 2, street + 10], fill=(55, 58, 58))


def _photograph(p: Painter, size: int) -> np.ndarray:
    """Light on the relief, weathering, exposure, grain."""
    rng, u = p.rng, p.rng.uniform
    relief = np.asarray(p.layers["relief"], np.float32)
    aside = 1 if u() < 0.5 else -1
    # A part that stands out is bright at its upper edge, dark below it, and throws a shadow down and aside.
    shade = 1 + np.clip(relief - np.roll(relief, (2, 2 * aside), (0, 1)), -60, 60) * u(0.001, 0.003)
    shade *= 1 - np.clip(np.roll(relief, (6, 4 * aside), (0, 1)) - relief, 0, 80) * u(0.001, 0.005)
    photo, relief, shade = (
        np.asarray(layer.resize((size, size), Image.Resampling.BILINEAR), np.float32)
        for layer in (p.layers["paint"], p.layers["relief"], Image.fromarray(shade))
    )
    weather = sum(a * smooth_noise(rng, size, cells) for a, cells in ((0.04, 6), (0.03, 40), (0.03, 128)))
    shade = shade * (1 + weather * np.where(relief > 0, np.float32(1), np.float32(0.3)))
    shade *= np.linspace(u(0.8, 1.1), u(0.8, 1.1), size, dtype=np.float32)[:, None]
    shade *= np.linspace(u(0.85, 1.1), u(0.85, 1.1), size, dtype=np.float32)
    photo = photo * (shade[..., None] * (u(0.75, 1.15) * rng.normal(1, 0.04, 3)).astype(np.float32))
    photo += u(2, 9) * rng.standard_normal((size, size, 3), dtype=np.float32)
    return (np.clip(photo, 0, 255) + 0.5).astype(np.uint8)
