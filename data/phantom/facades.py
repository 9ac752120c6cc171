"""A procedural photograph of a house front with its CMP label map.

A front is drawn as a mason builds it: wall, mouldings, then bay by bay and floor by floor windows with their sills,
cornices and blinds, then doors, shops and balconies. Each part goes onto three canvases at once: its paint, its
label, and its relief (how far it stands out of the wall: light that falls on it gives edges and shadows). As in the
real set, labels are upright rectangles even where the part is round, and trees and cars before the house have none.
"""

import numpy as np
from PIL import Image

from data.phantom.painter import CANVAS, LABEL, Colour, Painter, tint
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
FRAMES = ((240, 240, 236), (92, 60, 40), (60, 64, 66), (200, 196, 188))
BLINDS = ((110, 40, 35), (50, 85, 60), (90, 60, 40), (120, 125, 130))
DOORS = ((95, 62, 40), (60, 45, 38), (50, 70, 60), (110, 80, 55))
SIGNS = ((150, 40, 40), (40, 80, 60), (40, 60, 110), (60, 50, 45), (210, 190, 60))


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
    _front(p, x0, x1, top, street, wall)
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


def _front(p: Painter, x0: float, x1: float, top: float, street: float, wall: Colour) -> None:
    """The house itself: wall, bands, floors, bays."""
    rng, u = p.rng, p.rng.uniform
    floors, bays = int(rng.integers(2, 7)), int(rng.integers(2, 9))
    contrast = u(0.65, 0.85) if u() < 0.5 else u(1.08, 1.25)
    trim = tint((235, 230, 218), u(0.8, 1.05)) if u() < 0.6 else tint(wall, contrast)
    has = {
        name: u() < chance
        for name, chance in (
            ("cornice", 0.55),
            ("sill", 0.7),
            ("blind", 0.3),
            ("roller", 0.25),
            ("balcony", 0.45),
            ("pillar", 0.35),
            ("molding", 0.8),
            ("deco", 0.4),
            ("shop", 0.5),
            ("arch", 0.2),
            ("brick", 0.3),
            ("gable", 0.3),
        )
    }
    p.box(x0, top, x1, street, wall, "facade", 100)
    if has["brick"]:
        p.lines(x0, top, x1, street, tint(wall, 0.88), 4, upright=False)
    eaves = u(10, 30) if u() < 0.9 else 0
    ground = (street - top - eaves) / (floors + u(0, 0.5))
    ground *= u(1.05, 1.35)
    storey = (street - top - eaves - ground) / max(floors - 1, 1)
    if u() < 0.5:  # a rusticated ground floor
        stone = tint(wall, u(0.75, 0.98))
        p.box(x0, street - ground, x1, street, stone, relief=108)
        p.lines(x0, street - ground, x1, street, tint(stone, 0.8), u(9, 16), upright=False)
    p.box(x0, street - u(8, 24), x1, street, tint(wall, 0.6), relief=115)  # plinth
    if eaves:
        p.box(x0 - 6, top, x1 + 6, top + eaves, trim, "molding", 190)
        p.lines(x0, top + eaves * 0.55, x1, top + eaves * 0.9, tint(trim, 0.75), u(6, 12), upright=True)
    lines = [top + eaves + storey * k for k in range(1, floors)]
    for k, y in enumerate(lines):
        if has["molding"] and (k == len(lines) - 1 or u() < 0.3):
            p.box(x0, y - u(5, 11), x1, y + 4, trim, "molding", 160)

    margin = u(8, 30)
    pitch = (x1 - x0 - 2 * margin) / bays
    high = storey * u(0.5, 0.68)
    wide = min(pitch * u(0.36, 0.62), high * u(0.6, 1.1))
    high = min(high, wide * 2.4)
    style = {
        "frame": p.pick(FRAMES),
        "trim": trim,
        "has": has,
        "mullions": int(rng.integers(1, 4)),
        "blind": p.pick(BLINDS, 0.8, 1.1),
        "iron": u() < 0.6,
    }
    if has["pillar"]:
        for k in range(0, bays + 1, int(rng.integers(1, 3))):
            x, half, foot = x0 + margin + k * pitch, u(5, 9), lines[-1] - 4
            p.box(x - half, top + eaves, x + half, foot, trim, "pillar", 150)
            p.box(x - half - 3, top + eaves, x + half + 3, top + eaves + 10, tint(trim, 0.92), "pillar", 175)
            p.box(x - half - 3, foot - 9, x + half + 3, foot, tint(trim, 0.92), "pillar", 175)
    balconies = rng.random((floors, bays)) < u(0.15, 0.6) if has["balcony"] else np.zeros((floors, bays), bool)
    if u() < 0.6:
        balconies |= balconies[:, ::-1]
    for floor in range(floors - 1):
        y = top + eaves + storey * (floor + u(0.2, 0.26))
        for bay in range(bays):
            x = x0 + margin + pitch * (bay + 0.5)
            _window(p, x, y, wide, high, min(pitch, 2.2 * wide), style)
            if has["deco"] and (bay + floor) % 2 == 0:
                size = min(12, storey * 0.08)
                p.box(
                    x - size * 2,
                    y + high + 10,
                    x + size * 2,
                    y + high + 10 + size,
                    tint(trim, 0.95),
                    "deco",
                    150,
                    "ellipse" if u() < 0.5 else "rectangle",
                )
            if balconies[floor, bay]:
                _balcony(p, x, y + high, min(pitch * 0.92, wide * 1.7), high * u(0.38, 0.5), style)
    _ground_floor(p, x0 + margin, pitch, bays, street, ground, style)


def _window(p: Painter, x: float, y: float, wide: float, high: float, room: float, style: dict) -> None:
    """One window, its top centre at (x, y), and what belongs to it within `room` pixels of width."""
    u, has = p.rng.uniform, style["has"]
    half = wide / 2
    shape = "arch" if has["arch"] else "rectangle"
    _glazing(p, x - half, y, x + half, y + high, style, "window", shape)
    if has["roller"] and u() < 0.5:
        drop = y + high * u(0.2, 0.9)
        p.box(x - half, y, x + half, drop, (205, 202, 190), "blind", 85, shape)
        p.lines(x - half, y + 2, x + half, drop, (175, 172, 160), 4, upright=False)
    if has["blind"] and u() < 0.9:
        leaf = min(half * 0.9, (room - wide) / 2)
        for left in (x - half - leaf, x + half):
            p.box(left, y, left + leaf, y + high, style["blind"], "blind", 130)
            p.lines(left + 1, y + 2, left + leaf - 1, y + high - 2, tint(style["blind"], 0.7), 4, upright=False)
    brow = wide * 0.12
    if has["cornice"]:
        rise = 15 if has["gable"] else 9
        p.box(
            x - half - brow,
            y - rise - 3,
            x + half + brow,
            y - 3,
            style["trim"],
            "cornice",
            175,
            "gable" if has["gable"] else "rectangle",
        )
    if has["sill"]:
        p.box(x - half - brow, y + high, x + half + brow, y + high + 7, style["trim"], "sill", 170)


def _glazing(p: Painter, x0: float, y0: float, x1: float, y1: float, style: dict, label: str, shape: str) -> None:
    """Frame, panes with what shows in them, bars."""
    u = p.rng.uniform
    p.box(x0, y0, x1, y1, style["frame"], label, 70, shape)
    edge = max(2, (x1 - x0) * 0.07)
    glass = tint((58, 66, 78), u(0.5, 1.5))
    p.box(x0 + edge, y0 + edge, x1 - edge, y1 - edge, glass, relief=45, shape=shape)
    if u() < 0.5:  # the sky in the upper panes
        p.box(x0 + edge, y0 + edge, x1 - edge, y0 + (y1 - y0) * u(0.2, 0.6), tint(glass, u(1.2, 2.0)), shape=shape)
    if u() < 0.4:  # curtains
        cloth = (x1 - x0) * u(0.1, 0.35)
        for left in (x0 + edge, x1 - edge - cloth):
            p.box(left, y0 + edge * 2, left + cloth, y1 - edge, tint((215, 210, 200), u(0.6, 1.0)))
    bars = style["mullions"]
    for k in range(1, bars + 1):
        x = x0 + (x1 - x0) * k / (bars + 1)
        p.box(x - 1, y0 + edge, x + 1.5, y1 - edge, style["frame"])
    bar = y0 + (y1 - y0) * 0.33
    p.box(x0 + edge, bar - 1, x1 - edge, bar + 2, style["frame"])


def _balcony(p: Painter, x: float, floor: float, wide: float, high: float, style: dict) -> None:
    """A slab with a railing (iron bars) or a parapet before the lower part of a window."""
    left, right, rail = x - wide / 2, x + wide / 2, floor - high
    p.pens["label"].rectangle([left, rail, right, floor + 7], fill=LABEL["balcony"])
    if style["iron"]:
        p.lines(left, rail, right, floor, (45, 44, 46), 5, upright=True)
        p.box(left, rail, right, rail + 3, (40, 40, 42), relief=190)
    else:
        p.box(left, rail, right, floor, tint(style["trim"], 0.93), relief=200)
        p.lines(left + 4, rail + 6, right - 4, floor - 4, tint(style["trim"], 0.7), 7, upright=True)
    p.box(left - 3, floor, right + 3, floor + 7, tint(style["trim"], 0.85), relief=230)


def _ground_floor(p: Painter, left: float, pitch: float, bays: int, street: float, ground: float, style: dict) -> None:
    """Doors, shops and plain windows at the street."""
    rng, u = p.rng, p.rng.uniform
    doors = {int(d) for d in rng.integers(0, bays, 1 + (bays > 5))}
    shops = style["has"]["shop"]
    colour = p.pick(SIGNS, 0.7, 1.1)
    wide = pitch * u(0.42, 0.6)
    for bay in range(bays):
        x, y = left + pitch * (bay + 0.5), street - ground
        if bay in doors:
            half, head = min(wide * 0.6, 34), y + ground * u(0.25, 0.35)
            wood = p.pick(DOORS, 0.7, 1.1)
            shape = "arch" if u() < 0.5 else "rectangle"
            p.box(x - half - 5, head - 5, x + half + 5, street, style["trim"], relief=140, shape=shape)
            p.box(x - half, head, x + half, street, wood, "door", 40, shape)
            for side in (-1, 1):
                p.box(
                    x + side * half / 2 - half * 0.3,
                    head + (street - head) * 0.35,
                    x + side * half / 2 + half * 0.3,
                    street - 14,
                    tint(wood, 0.75),
                    relief=30,
                )
            p.box(x - 1, head, x + 1, street, tint(wood, 0.5))
        elif shops:
            half, head = pitch * 0.43, y + ground * 0.32
            _glazing(p, x - half, head, x + half, street - u(6, 16), style | {"mullions": 1}, "shop", "rectangle")
            for _ in range(6):  # goods
                gx, gy = x + half * u(-0.9, 0.7), head + (street - head) * u(0.4, 0.75)
                p.box(gx, gy, gx + u(4, 12), gy + u(4, 14), tuple(int(c) for c in rng.integers(60, 230, 3)))
            if u() < 0.8:
                p.box(x - half, head - ground * 0.16, x + half, head, colour, "shop", 150)
                p.lines(
                    x - half * 0.6,
                    head - ground * 0.11,
                    x + half * 0.6,
                    head - ground * 0.05,
                    (230, 225, 210),
                    5,
                    upright=True,
                )
            if u() < 0.3:
                for k, strip in enumerate(np.arange(x - half, x + half - 4, 9)):
                    cloth = (235, 232, 225) if k % 2 else colour
                    p.box(strip, head, strip + 9, head + ground * 0.14, cloth, relief=220)
        else:
            _window(p, x, y + ground * 0.3, wide, min(ground * 0.42, wide * 1.8), pitch, style)


def _things_before(p: Painter, street: float) -> None:
    """Cars, trees and lamps between the camera and the house."""
    rng, u, pen = p.rng, p.rng.uniform, p.pens["paint"]
    for _ in range(rng.choice(3, p=[0.5, 0.3, 0.2])):
        x, paint = u(-20, CANVAS - 60), tuple(int(c) for c in rng.integers(30, 220, 3))
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
