"""The front of a phantom house: wall, floors, windows, balconies, doors and shops.

All parts take their random numbers from one generator, so the order of the draws decides how every phantom looks. Keep
that order when you change this file: tests and benchmarks rely on the pictures.
"""

from dataclasses import dataclass, replace

import numpy as np

from data.phantom.painter import LABEL, Colour, Painter, rgb, tint

FRAMES = ((240, 240, 236), (92, 60, 40), (60, 64, 66), (200, 196, 188))
BLINDS = ((110, 40, 35), (50, 85, 60), (90, 60, 40), (120, 125, 130))
DOORS = ((95, 62, 40), (60, 45, 38), (50, 70, 60), (110, 80, 55))
SIGNS = ((150, 40, 40), (40, 80, 60), (40, 60, 110), (60, 50, 45), (210, 190, 60))
CHANCES = {
    "cornice": 0.55,
    "sill": 0.7,
    "blind": 0.3,
    "roller": 0.25,
    "balcony": 0.45,
    "pillar": 0.35,
    "molding": 0.8,
    "deco": 0.4,
    "shop": 0.5,
    "arch": 0.2,
    "brick": 0.3,
    "gable": 0.3,
}
"""How often a house has each kind of part."""


@dataclass(frozen=True)
class Plan:
    """Size and colours of one house, in canvas pixels. eaves, ground, storey: heights of the band below the roof, of
    the ground floor and of each other floor. has: which of the parts in `CHANCES` the house has."""

    x0: float
    x1: float
    top: float
    street: float
    wall: Colour
    trim: Colour
    has: dict[str, bool]
    floors: int
    bays: int
    eaves: float
    ground: float
    storey: float


@dataclass(frozen=True)
class Style:
    """What all windows of a house share. mullions: upright bars in a window. iron: balconies have iron railings."""

    frame: Colour
    trim: Colour
    has: dict[str, bool]
    mullions: int
    blind: Colour
    iron: bool


def draw_front(p: Painter, x0: float, x1: float, top: float, street: float, wall: Colour) -> None:
    """Draw a house between the columns `x0` and `x1`, from the edge of its roof (`top`) down to the street."""
    u = p.rng.uniform
    plan = _plan(p, x0, x1, top, street, wall)
    _wall(p, plan)
    margin = u(8, 30)
    left, pitch = x0 + margin, (x1 - x0 - 2 * margin) / plan.bays
    high = plan.storey * u(0.5, 0.68)
    wide = min(pitch * u(0.36, 0.62), high * u(0.6, 1.1))
    style = Style(
        frame=p.pick(FRAMES),
        trim=plan.trim,
        has=plan.has,
        mullions=int(p.rng.integers(1, 4)),
        blind=p.pick(BLINDS, 0.8, 1.1),
        iron=u() < 0.6,
    )
    if plan.has["pillar"]:
        _pillars(p, plan, left, pitch)
    _upper_floors(p, plan, left, pitch, wide, min(high, wide * 2.4), style)
    _ground_floor(p, plan, left, pitch, style)


def _plan(p: Painter, x0: float, x1: float, top: float, street: float, wall: Colour) -> Plan:
    rng, u = p.rng, p.rng.uniform
    floors, bays = int(rng.integers(2, 7)), int(rng.integers(2, 9))
    contrast = u(0.65, 0.85) if u() < 0.5 else u(1.08, 1.25)
    trim = tint((235, 230, 218), u(0.8, 1.05)) if u() < 0.6 else tint(wall, contrast)
    has = {name: u() < chance for name, chance in CHANCES.items()}
    eaves = u(10, 30) if u() < 0.9 else 0
    ground = (street - top - eaves) / (floors + u(0, 0.5))
    ground *= u(1.05, 1.35)
    storey = (street - top - eaves - ground) / max(floors - 1, 1)
    return Plan(x0, x1, top, street, wall, trim, has, floors, bays, eaves, ground, storey)


def _wall(p: Painter, plan: Plan) -> None:
    """The wall and its horizontal bands: ground floor, plinth, eaves, a moulding between two floors."""
    u, x0, x1, top, street = p.rng.uniform, plan.x0, plan.x1, plan.top, plan.street
    p.box(x0, top, x1, street, plan.wall, "facade", 100)
    if plan.has["brick"]:
        p.lines(x0, top, x1, street, tint(plan.wall, 0.88), 4, upright=False)
    if u() < 0.5:  # a rusticated ground floor
        stone = tint(plan.wall, u(0.75, 0.98))
        p.box(x0, street - plan.ground, x1, street, stone, relief=108)
        p.lines(x0, street - plan.ground, x1, street, tint(stone, 0.8), u(9, 16), upright=False)
    p.box(x0, street - u(8, 24), x1, street, tint(plan.wall, 0.6), relief=115)  # plinth
    below = top + plan.eaves
    if plan.eaves:
        p.box(x0 - 6, top, x1 + 6, below, plan.trim, "molding", 190)
        upper, lower = top + plan.eaves * 0.55, top + plan.eaves * 0.9
        p.lines(x0, upper, x1, lower, tint(plan.trim, 0.75), u(6, 12), upright=True)
    for k in range(1, plan.floors):
        if plan.has["molding"] and (k == plan.floors - 1 or u() < 0.3):
            y = below + plan.storey * k
            p.box(x0, y - u(5, 11), x1, y + 4, plan.trim, "molding", 160)


def _pillars(p: Painter, plan: Plan, left: float, pitch: float) -> None:
    """Pillars with a head and a foot, from the eaves down to the ground floor."""
    head, foot = plan.top + plan.eaves, plan.top + plan.eaves + plan.storey * (plan.floors - 1) - 4
    cap = tint(plan.trim, 0.92)
    for k in range(0, plan.bays + 1, int(p.rng.integers(1, 3))):
        x, half = left + k * pitch, p.rng.uniform(5, 9)
        p.box(x - half, head, x + half, foot, plan.trim, "pillar", 150)
        p.box(x - half - 3, head, x + half + 3, head + 10, cap, "pillar", 175)
        p.box(x - half - 3, foot - 9, x + half + 3, foot, cap, "pillar", 175)


def _upper_floors(p: Painter, plan: Plan, left: float, pitch: float, wide: float, high: float, style: Style) -> None:
    """Windows with their ornaments and balconies, floor by floor. wide, high: size of a window."""
    u, shape = p.rng.uniform, (plan.floors, plan.bays)
    balconies = p.rng.random(shape) < u(0.15, 0.6) if plan.has["balcony"] else np.zeros(shape, bool)
    if u() < 0.6:
        balconies |= balconies[:, ::-1]
    size = min(12, plan.storey * 0.08)
    for floor in range(plan.floors - 1):
        y = plan.top + plan.eaves + plan.storey * (floor + u(0.2, 0.26))
        for bay in range(plan.bays):
            x = left + pitch * (bay + 0.5)
            _window(p, x, y, wide, high, min(pitch, 2.2 * wide), style)
            if plan.has["deco"] and (bay + floor) % 2 == 0:
                upper, ornament = y + high + 10, "ellipse" if u() < 0.5 else "rectangle"
                stone = tint(plan.trim, 0.95)
                p.box(x - size * 2, upper, x + size * 2, upper + size, stone, "deco", 150, ornament)
            if balconies[floor, bay]:
                _balcony(p, x, y + high, min(pitch * 0.92, wide * 1.7), high * u(0.38, 0.5), style)


def _window(p: Painter, x: float, y: float, wide: float, high: float, room: float, style: Style) -> None:
    """One window, its top centre at (x, y), with its blinds, cornice and sill; blinds fit into `room` pixels of
    width."""
    u, has = p.rng.uniform, style.has
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
            p.box(left, y, left + leaf, y + high, style.blind, "blind", 130)
            p.lines(left + 1, y + 2, left + leaf - 1, y + high - 2, tint(style.blind, 0.7), 4, upright=False)
    x0, x1 = x - half - wide * 0.12, x + half + wide * 0.12
    if has["cornice"]:
        rise, brow = (15, "gable") if has["gable"] else (9, "rectangle")
        p.box(x0, y - rise - 3, x1, y - 3, style.trim, "cornice", 175, brow)
    if has["sill"]:
        p.box(x0, y + high, x1, y + high + 7, style.trim, "sill", 170)


def _glazing(p: Painter, x0: float, y0: float, x1: float, y1: float, style: Style, label: str, shape: str) -> None:
    """Frame, panes with what shows in them, bars."""
    u = p.rng.uniform
    p.box(x0, y0, x1, y1, style.frame, label, 70, shape)
    edge = max(2, (x1 - x0) * 0.07)
    glass = tint((58, 66, 78), u(0.5, 1.5))
    p.box(x0 + edge, y0 + edge, x1 - edge, y1 - edge, glass, relief=45, shape=shape)
    if u() < 0.5:  # the sky in the upper panes
        p.box(x0 + edge, y0 + edge, x1 - edge, y0 + (y1 - y0) * u(0.2, 0.6), tint(glass, u(1.2, 2.0)), shape=shape)
    if u() < 0.4:  # curtains
        cloth = (x1 - x0) * u(0.1, 0.35)
        for left in (x0 + edge, x1 - edge - cloth):
            p.box(left, y0 + edge * 2, left + cloth, y1 - edge, tint((215, 210, 200), u(0.6, 1.0)))
    for k in range(1, style.mullions + 1):
        x = x0 + (x1 - x0) * k / (style.mullions + 1)
        p.box(x - 1, y0 + edge, x + 1.5, y1 - edge, style.frame)
    bar = y0 + (y1 - y0) * 0.33
    p.box(x0 + edge, bar - 1, x1 - edge, bar + 2, style.frame)


def _balcony(p: Painter, x: float, floor: float, wide: float, high: float, style: Style) -> None:
    """A slab with a railing (iron bars) or a parapet before the lower part of a window."""
    left, right, rail = x - wide / 2, x + wide / 2, floor - high
    p.pens["label"].rectangle([left, rail, right, floor + 7], fill=LABEL["balcony"])
    if style.iron:
        p.lines(left, rail, right, floor, (45, 44, 46), 5, upright=True)
        p.box(left, rail, right, rail + 3, (40, 40, 42), relief=190)
    else:
        p.box(left, rail, right, floor, tint(style.trim, 0.93), relief=200)
        p.lines(left + 4, rail + 6, right - 4, floor - 4, tint(style.trim, 0.7), 7, upright=True)
    p.box(left - 3, floor, right + 3, floor + 7, tint(style.trim, 0.85), relief=230)


def _ground_floor(p: Painter, plan: Plan, left: float, pitch: float, style: Style) -> None:
    """Doors, shops and plain windows at the street."""
    doors = {int(d) for d in p.rng.integers(0, plan.bays, 1 + (plan.bays > 5))}
    sign = p.pick(SIGNS, 0.7, 1.1)
    wide = pitch * p.rng.uniform(0.42, 0.6)
    y = plan.street - plan.ground
    for bay in range(plan.bays):
        x = left + pitch * (bay + 0.5)
        if bay in doors:
            _door(p, x, min(wide * 0.6, 34), y, plan)
        elif plan.has["shop"]:
            _shop(p, x, pitch * 0.43, y, plan, sign, style)
        else:
            _window(p, x, y + plan.ground * 0.3, wide, min(plan.ground * 0.42, wide * 1.8), pitch, style)


def _door(p: Painter, x: float, half: float, y: float, plan: Plan) -> None:
    """A door of two leaves around the column `x`, `half` wide to each side, on a ground floor that begins at `y`."""
    u, street = p.rng.uniform, plan.street
    head = y + plan.ground * u(0.25, 0.35)
    wood = p.pick(DOORS, 0.7, 1.1)
    shape = "arch" if u() < 0.5 else "rectangle"
    p.box(x - half - 5, head - 5, x + half + 5, street, plan.trim, relief=140, shape=shape)
    p.box(x - half, head, x + half, street, wood, "door", 40, shape)
    upper, panel = head + (street - head) * 0.35, half * 0.3
    for middle in (x - half / 2, x + half / 2):
        p.box(middle - panel, upper, middle + panel, street - 14, tint(wood, 0.75), relief=30)
    p.box(x - 1, head, x + 1, street, tint(wood, 0.5))


def _shop(p: Painter, x: float, half: float, y: float, plan: Plan, sign: Colour, style: Style) -> None:
    """A shop window with goods in it, and perhaps a sign and an awning."""
    rng, u, ground, street = p.rng, p.rng.uniform, plan.ground, plan.street
    head = y + ground * 0.32
    _glazing(p, x - half, head, x + half, street - u(6, 16), replace(style, mullions=1), "shop", "rectangle")
    for _ in range(6):  # goods
        gx, gy = x + half * u(-0.9, 0.7), head + (street - head) * u(0.4, 0.75)
        p.box(gx, gy, gx + u(4, 12), gy + u(4, 14), rgb(rng.integers(60, 230, 3)))
    if u() < 0.8:
        p.box(x - half, head - ground * 0.16, x + half, head, sign, "shop", 150)
        upper, lower = head - ground * 0.11, head - ground * 0.05
        p.lines(x - half * 0.6, upper, x + half * 0.6, lower, (230, 225, 210), 5, upright=True)
    if u() < 0.3:
        for k, strip in enumerate(np.arange(x - half, x + half - 4, 9)):
            cloth = (235, 232, 225) if k % 2 else sign
            p.box(strip, head, strip + 9, head + ground * 0.14, cloth, relief=220)
