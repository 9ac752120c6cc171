"""A procedural chest X-ray (PA view) with its lung mask.

The picture is built like an X-ray. The attenuation along each ray is summed organ by organ, in the frame of the body,
and one exposure curve turns the sum into grey values. In the body frame, x points to the image's right (the patient's
left) and y down; 1 is half a film at scale 1. The lungs reach from about y = -0.8 to 0.45. Every shape is a function of
position, so a phantom is the same picture at every size.

All parts take their random numbers from one generator, so the order of the draws decides how every phantom looks. Keep
that order when you change this file: tests and benchmarks rely on the pictures.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from data.phantom.film import CANVAS, expose, exposed_field, letters
from data.phantom.shapes import capsule, ellipse, join, rounded, smooth_noise, step


@dataclass(frozen=True)
class Pose:
    """Position of the body on the film: film = centre + rotation * (scale_x * x, scale_y * y), film in [-1, 1]."""

    centre: tuple[float, float]
    angle: float  # radians
    scale: tuple[float, float]

    def to_body(self, film_x: np.ndarray, film_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = film_x - self.centre[0], film_y - self.centre[1]
        c, s = float(np.cos(self.angle)), float(np.sin(self.angle))
        return (c * x + s * y) / self.scale[0], (c * y - s * x) / self.scale[1]

    def to_canvas(self, x: np.ndarray, y: np.ndarray) -> list[list[float]]:
        """Body points [lines, points] as the flat lists of canvas pixels that ImageDraw takes."""
        c, s = float(np.cos(self.angle)), float(np.sin(self.angle))
        x, y = x * self.scale[0], y * self.scale[1]
        film = np.stack([self.centre[0] + c * x - s * y, self.centre[1] + s * x + c * y], -1)
        return ((film + 1) * (CANVAS / 2)).reshape(len(film), -1).tolist()


@dataclass(frozen=True)
class Body:
    """One patient: the coordinates of every pixel (float32 [size, size]) and the outlines, positive inside."""

    x: np.ndarray  # from the spine
    y: np.ndarray
    d: np.ndarray  # |x|
    apex: float  # height of the top of the lungs
    half: float  # half the inner width of the rib cage
    dome: float  # height of the right dome of the diaphragm
    shoulder: tuple[float, float]
    elbow: tuple[float, float]
    cage: np.ndarray
    belly: np.ndarray  # below the diaphragm
    middle: np.ndarray  # mediastinum with heart and great vessels
    heart: np.ndarray
    lungs: np.ndarray
    skin: np.ndarray


def chest(index: int, seed: int = 0, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The phantom X-ray number `index` of the series `seed`.

    Returns (image uint8 [size, size], bone white and air black; mask uint8 [size, size], 1 = lung field). As in the
    Montgomery and Shenzhen sets, lung fields exclude the heart, the mediastinum and everything below the domes of the
    diaphragm, and include opacities.
    """
    image, lungs, _ = _x_ray(index, seed, size, None)
    return image, lungs


def pneumothorax(index: int, seed: int = 0, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """`chest` number `index`, with air between lung and chest wall in about every second image.

    Returns (image, mask uint8 [size, size], 1 = that air). The air is widest at the top of one side, darker than lung
    and without vessels, and it ends at the thin line of the lung's pleura. As in SIIM-ACR, most of the masks cover 0.1
    to 4 % of the image.
    """
    image, _, air = _x_ray(index, seed, size, np.random.default_rng([seed, index, 1]))
    return image, air


def _x_ray(
    index: int, seed: int, size: int, air: np.random.Generator | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, lung field and pneumothorax. air: the generator that draws a pneumothorax, or None for no pneumothorax. It
    is separate, so that both kinds of phantom show the same chest."""
    rng = np.random.default_rng([seed, index])
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    film_x, film_y = np.broadcast_to(axis, (size, size)), np.broadcast_to(axis[:, None], (size, size))
    wide = rng.uniform() < 0.35  # Montgomery's wide film with an empty strip below; else Shenzhen's
    pose = _pose(rng, wide)
    body = _body(rng, *pose.to_body(film_x, film_y))
    attenuation = _soft_tissue(rng, body) + rng.uniform(0.7, 1.3) * _bones(rng, body)
    gap = _gap(air, body) if air else np.full_like(body.x, -1)
    markings = _lung_markings(rng, body, pose, size) + _opacities(rng, body, size)
    attenuation += markings * step(-gap, 0.008) - _gas(rng, body, size)
    attenuation += 0.2 * step(0.006 - np.abs(gap), 0.006) * step(body.lungs - 0.012, 0.006) - 0.3 * step(gap, 0.008)
    film = expose(rng, np.maximum(attenuation, 0), body.skin, size, wide)
    field = exposed_field(rng, film_x, film_y, pose.centre[1] + pose.scale[1] * body.dome if wide else None)
    shade = 0.0 if rng.uniform() < 0.8 else rng.uniform(0, 0.3)
    burnt = letters(rng, size, wide)
    # Grain comes last: it is the only part that draws more numbers for a larger picture.
    film += (0.005 + 0.025 * rng.uniform() ** 2) * rng.standard_normal((size, size), dtype=np.float32)
    film = np.maximum(shade + (film - shade) * step(field, 0.006), burnt)
    lungs, air_gap = ((np.minimum(outline, field) > 0).astype(np.uint8) for outline in (body.lungs, gap))
    return (np.clip(film, 0, 1) * 255 + 0.5).astype(np.uint8), lungs, air_gap


def _gap(rng: np.random.Generator, b: Body) -> np.ndarray:
    """Outline of the air between one lung and the chest wall, positive inside. All negative if there is no air."""
    u = rng.uniform
    has_air, side, width, base = u() < 0.5, rng.choice([-1, 1]), 0.03 + 0.15 * u() ** 1.5, b.dome - u(0, 0.6)
    wave = 1 + 0.15 * np.sin(b.y * u(5, 9) + u(0, 6))
    thick = width * wave * np.sqrt(np.clip((base - b.y) / (base - b.apex), 0, 1))
    gap = np.minimum(b.lungs, thick - np.minimum(b.cage, b.y - b.apex))
    return np.where((b.x * side > 0) & has_air, gap, np.float32(-1))


def _pose(rng: np.random.Generator, wide: bool) -> Pose:
    u = rng.uniform
    angle = float(np.deg2rad(rng.normal(0, 2.5)))
    if wide:
        return Pose((u(-0.07, 0.07), u(-0.16, -0.04)), angle, (u(1.0, 1.25), u(0.72, 0.98)))
    return Pose((u(-0.06, 0.06), u(-0.04, 0.12)), angle, (u(0.88, 1.2), u(0.86, 1.12)))


def _body(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Body:
    u = rng.uniform
    x = x - 0.02 * u(-1, 1) * np.sin((y + u(-1, 1)) * u(1.5, 3))  # a slight scoliosis
    d = np.abs(x)
    left = x > 0

    def sides(low: float, high: float) -> np.ndarray:
        """One random number for the patient's right side and one for the left."""
        return np.where(left, np.float32(u(low, high)), np.float32(u(low, high)))

    half, apex, base = u(0.55, 0.68), u(-0.82, -0.72), u(0.05, 0.25)
    crown = u(0.24, 0.3)  # where the top of each lung lies
    top = apex + sides(-0.03, 0.03)
    t = np.clip((base - y) / (base - top), 0, 1)
    cage = crown + (half - crown) * np.sqrt(1 - t ** u(1.9, 2.7)) - 0.15 * np.maximum(y - base, 0) ** 2
    cage = cage + 0.006 * np.sin(y * u(18, 24) + u(0, 6))
    narrow = sides(0.075, 0.11) + 0.03 * step(y + 0.1, 0.3)
    inner = crown - (crown - narrow) * np.sqrt(1 - t**6)
    dome = u(0.2, 0.4)
    dome_left = dome + u(-0.01, 0.07)
    across = d - sides(0.22, 0.34)
    curve = np.where(across > 0, np.float32(u(1.0, 2.4)), np.float32(u(0.1, 0.6)))
    belly = y - np.where(left, np.float32(dome_left), np.float32(dome)) - curve * across * across

    bulk = half * u(0.4, 0.54)
    heart = ellipse(x, y, u(0.05, 0.11), dome_left - u(0.1, 0.17), bulk, bulk * u(0.68, 0.85), u(0.45, 0.85))
    knob = ellipse(x, y, u(0.06, 0.09), apex + u(0.36, 0.44), u(0.05, 0.085), u(0.06, 0.09))
    trunk = ellipse(x, y, u(0.07, 0.1), apex + u(0.5, 0.6), u(0.05, 0.085), u(0.09, 0.14))
    middle = join(join(narrow - d, heart, u(0.1, 0.2)), join(knob, trunk, 0.05), 0.06)
    lungs = np.minimum(np.minimum(cage - d, d - inner), np.minimum(np.minimum(-belly, -middle), y - top))

    fat = u(0.05, 0.16)
    shoulder = (u(0.78, 0.9), apex + u(0.14, 0.26))
    elbow = (shoulder[0] + u(0.05, 1.0), shoulder[1] + 1.6)
    torso = np.minimum(half + fat + 0.05 * step(y - 0.3, 0.4) - d, y - apex)
    girdle = capsule(d, y, 0.0, apex + 0.06, shoulder[0], shoulder[1], u(0.14, 0.18))
    arm = capsule(d, y, *shoulder, *elbow, u(0.14, 0.2))
    neck = capsule(d, y, 0, -3, 0, apex + 0.1, u(0.17, 0.23))
    skin = join(join(torso, arm, u(0.1, 0.25)), join(girdle, neck, u(0.2, 0.4)), 0.1)
    return Body(x, y, d, apex, half, dome, shoulder, elbow, cage - d, belly, middle, heart, lungs, skin)


def _soft_tissue(rng: np.random.Generator, b: Body) -> np.ndarray:
    u = rng.uniform
    total = 2.0 * rounded(b.skin, u(0.2, 0.4)) + u(0.4, 0.8) * rounded(b.belly, 0.3) * step(b.skin - 0.06, 0.06)
    total -= u(1.0, 1.7) * step(b.lungs, u(0.006, 0.025)) * (0.7 + 0.3 * rounded(b.lungs, 0.2))
    total += u(0.3, 0.6) * rounded(b.middle, 0.25) + u(0.05, 0.3) * rounded(b.heart, 0.25)
    airway = u(0.024, 0.034) - np.abs(b.x + u(-0.02, 0.01))
    total -= u(0.2, 0.4) * step(airway, 0.015) * step(b.apex + u(0.48, 0.56) - b.y, 0.05)
    if u() < 0.4:
        breast = ellipse(b.d, b.y, b.half * u(0.65, 0.8), b.dome - u(0.1, 0.2), u(0.22, 0.3), u(0.2, 0.27))
        total += u(0.15, 0.35) * rounded(breast, 0.1) * step(b.y - b.dome + 0.25, 0.2) * step(b.skin, 0.03)
    return total


def _bones(rng: np.random.Generator, b: Body) -> np.ndarray:
    u = rng.uniform
    # A rib runs out from the spine, turns at the side of the cage and comes back lower in front: two families of arcs.
    v = np.clip(b.d / (b.cage + b.d + 0.04), 0, 1)
    bow = np.sqrt(1 - v * v)
    gap, hang, front, phase = u(0.125, 0.15), u(0.16, 0.26), u(0.25, 0.4), u()
    fall = b.y - b.apex
    fall = fall - 0.12 * fall * fall
    edge = step(b.cage + 0.04, 0.012) * step(b.y - b.apex + 0.1, 0.05)
    back_ribs = _bands((fall - hang * (1 - bow)) / gap + phase, 0.27)
    front_ribs = _bands((fall - hang - front * bow) / gap + phase, 0.3)
    total = 0.34 * back_ribs * edge * step(0.6 - b.y, 0.25)
    total += 0.14 * front_ribs * edge * step(v - 0.45, 0.15) * step(0.12 - b.belly, 0.1)
    total += 0.12 * step(0.025 - np.abs(b.cage + 0.02), 0.02) * step(fall - 0.1, 0.1) * step(0.2 - b.belly, 0.2)

    disc = 0.5 + 0.5 * np.cos((b.y + 0.04 * b.y * b.y) * (2 * np.pi / u(0.1, 0.125)) + u(0, 6))
    width = 0.058 + 0.02 * step(b.y, 0.8)
    total += step(width + 0.012 * disc - b.d, 0.015) * (0.22 + 0.16 * disc) + 0.1 * step(0.016 - b.d, 0.01) * disc

    def bone(level: np.ndarray, shell: float) -> np.ndarray:
        """Denser in the cortex, the `shell` below its surface."""
        return step(level, 0.01) * (1 - 0.4 * step(level - shell, 0.01))

    (sx, sy), (ex, ey) = b.shoulder, b.elbow
    low, lift = b.apex + u(0.12, 0.22), u(-0.05, 0.2)
    line = low - lift * (b.d - 0.08) + 0.025 * np.sin((b.d - 0.08) * u(6, 8))
    collar = np.minimum(0.022 + 0.02 * np.abs(b.d - 0.4) - np.abs(b.y - line), np.minimum(b.d - 0.08, sx - 0.04 - b.d))
    total += 0.42 * bone(collar, 0.014)
    head = ellipse(b.d, b.y, sx + 0.02, sy + 0.02, 0.085, 0.09)
    shaft = capsule(b.d, b.y, sx + 0.02, sy, ex, ey, 0.045)
    total += 0.45 * bone(join(head, shaft, 0.08), 0.02)
    tip = (b.half * u(0.85, 1.05), b.apex + u(0.6, 0.8))
    blade = capsule(b.d, b.y, sx - 0.08, sy + 0.02, *tip, 0.016)
    inner_border = b.d - (tip[0] - 0.18 + 0.1 * np.abs(b.y - tip[1]))
    plate = np.minimum(np.minimum(blade + 0.3, inner_border), sx - 0.06 - b.d)
    plate = np.minimum(plate, np.minimum(b.y - sy + 0.05, (tip[1] - b.y)))
    total += 0.25 * step(blade, 0.012) + 0.06 * step(plate, 0.02)
    spine_of_blade = capsule(b.d, b.y, tip[0] - 0.08, sy + 0.14, sx, sy - 0.07, 0.018)
    total += 0.22 * bone(spine_of_blade, 0.012)
    return total * step(b.skin - 0.015, 0.015)


def _bands(phase: np.ndarray, share: float) -> np.ndarray:
    """Ribs: bands at the whole numbers of `phase`, `share` wide to each side, with brighter edges."""
    level = share - np.abs(phase - np.rint(phase))
    return step(level, 0.06) * (0.6 + 0.5 * step(0.1 - level, 0.06))


def _lung_markings(rng: np.random.Generator, b: Body, pose: Pose, size: int) -> np.ndarray:
    """Vessels that branch from the hila, the hila themselves, and fine texture."""
    u = rng.uniform
    canvas = Image.new("L", (CANVAS, CANVAS))
    pen = ImageDraw.Draw(canvas)
    root_y = b.apex + u(0.58, 0.68)
    way = np.repeat([-1, 1], 9)
    angle = np.tile(np.linspace(-1.3, 1.4, 9), 2) + rng.normal(0, 0.2, 18)
    x, y = way * u(0.13, 0.16, 18), root_y - 0.04 * (way > 0) + rng.normal(0, 0.04, 18)
    width = u(3, 6.5, 18)
    for _ in range(4):  # each generation of branches forks into the next
        bends = angle[:, None] + np.cumsum(rng.normal(0, 0.2, (len(x), 5)), 1)
        reach = u(0.025, 0.045, (len(x), 1))
        xs = np.hstack([x[:, None], x[:, None] + way[:, None] * np.cumsum(reach * np.cos(bends), 1)])
        ys = np.hstack([y[:, None], y[:, None] + np.cumsum(reach * np.sin(bends), 1)])
        for line, w in zip(pose.to_canvas(xs, ys), width, strict=True):
            pen.line(line, fill=int(45 + 30 * w), width=max(1, round(w)))
        x, y, way, width = (np.repeat(q, 2) for q in (xs[:, -1], ys[:, -1], way, 0.6 * width))
        angle = np.repeat(bends[:, -1], 2) + np.tile([-1, 1], len(bends)) * u(0.1, 0.5, len(x))
    vessels = np.asarray(canvas.resize((size, size), Image.Resampling.BILINEAR), np.float32) * (u(0.35, 0.65) / 255)
    hila = np.exp(-(((b.d - 0.17) / 0.06) ** 2) - ((b.y - root_y) / 0.13) ** 2) * u(0.25, 0.55)
    hila = hila * (1 + 0.4 * smooth_noise(rng, size, 40))
    fine = u(0.03, 0.07) * smooth_noise(rng, size, 56)
    return (vessels + hila + fine) * step(b.lungs, 0.012) + 0.05 * smooth_noise(rng, size, 9)


def _opacities(rng: np.random.Generator, b: Body, size: int) -> np.ndarray:
    """Cloudy shadows and fluid in the lungs of most patients. They belong to the mask."""
    u = rng.uniform
    total = np.zeros_like(b.x)
    for _ in range(rng.choice(5, p=[0.35, 0.2, 0.2, 0.15, 0.1])):
        x, y, r = rng.choice([-1, 1]) * u(0.15, b.half), u(b.apex + 0.1, b.dome + 0.1), u(0.04, 0.3)
        cloud = np.exp(-1.5 * (((b.x - x) / r) ** 2 + ((b.y - y) / (r * u(0.6, 1.4))) ** 2))
        total += u(0.3, 1.5) * cloud * np.clip(0.8 + 0.6 * smooth_noise(rng, size, 24), 0, 2)
    if u() < 0.2:  # fluid in the pleura: it hides the diaphragm and climbs at the side wall
        surface = b.dome + u(-0.2, 0.1) - u(0.3, 1.0) * np.maximum(0.12 - b.cage, 0)
        total += u(0.6, 1.4) * step(b.y - surface, 0.05) * (b.x * rng.choice([-1, 1]) > 0)
    return total * step(b.lungs, 0.012)


def _gas(rng: np.random.Generator, b: Body, size: int) -> np.ndarray:
    """Air in the stomach, under the left dome, and in the bowel."""
    u = rng.uniform
    total = np.zeros_like(b.x)
    if u() < 0.65:
        r = u(0.05, 0.12)
        bubble = ellipse(b.x, b.y, u(0.22, 0.42), b.dome + 0.12 + r, r * u(1, 1.6), r)
        if u() < 0.5:  # standing patient: a fluid level cuts the bubble
            bubble = np.minimum(bubble, b.dome + 0.12 + r * u(0.9, 1.4) - b.y)
        total += u(0.4, 0.8) * rounded(bubble, 0.04) * step(b.belly - 0.03, 0.02)
    if u() < 0.4:
        loops = smooth_noise(rng, size, 20) + smooth_noise(rng, size, 6)
        total += u(0.2, 0.7) * step(loops - 1.5, 0.6) * step(b.belly - 0.15, 0.1) * step(b.cage, 0.1)
    return total
