"""How a phantom X-ray is exposed: the film's curve, the collimator's field, and letters burnt into the film."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data.phantom.shapes import smooth_noise

# Vessels and letters are drawn on one fixed canvas and resized: their line widths do not depend on the picture's size.
CANVAS = 512


def expose(rng: np.random.Generator, attenuation: np.ndarray, skin: np.ndarray, size: int, wide: bool) -> np.ndarray:
    """Grey values, about 0..1, from attenuation, with the film's curve, fog and an uneven field. skin: outline of the
    body. wide: Montgomery's kind of film."""
    u = rng.uniform
    k = u(0.35, 0.7) if wide else u(0.5, 0.9)
    bright = float(np.quantile(attenuation[skin > 0][::7], u(0.8, 0.99) if wide else u(0.95, 0.998)))
    film = (1 - np.exp(-k * attenuation)) / (1 - np.exp(-k * bright))
    fog = u(0.0, 0.05) if wide else u(0.02, 0.2)
    film = fog + (1 - fog) * film ** (u(0.9, 1.8) if wide else u(0.75, 1.2))
    return film * (u(0.85, 1.0) + 0.03 * smooth_noise(rng, size, 3))


def exposed_field(rng: np.random.Generator, film_x: np.ndarray, film_y: np.ndarray, dome: float | None) -> np.ndarray:
    """Outline of the field that the collimator exposes. dome: for a wide film, the height of the diaphragm on the film;
    the field then ends a little below it."""
    u = rng.uniform
    bottom = dome + u(0.22, 0.4) if dome is not None else u(0.93, 1.4)
    field = np.minimum(bottom - film_y + u(-0.04, 0.04) * film_x, film_y + u(0.96, 1.3) + u(-0.02, 0.02) * film_x)
    slant = u(-0.03, 0.03) * film_y
    return np.minimum(field, np.minimum(film_x + u(0.93, 1.4) + slant, u(0.93, 1.4) - film_x + slant))


def letters(rng: np.random.Generator, size: int, wide: bool) -> np.ndarray:
    """Side marker and text plates, burnt into the film's upper corners: float32 [size, size] in 0..1."""
    u = rng.uniform
    board = Image.new("L", (CANVAS, CANVAS))
    pen = ImageDraw.Draw(board)
    right = u() < 0.5
    x, y = u(0.02, 0.1) if right else u(0.82, 0.93), u(0.01, 0.12)
    if u() < 0.85:
        pen.text((x * CANVAS, y * CANVAS), "R" if right else "L", 255, ImageFont.load_default(int(u(20, 36))))
        if not wide and u() < 0.6:
            pen.text((x * CANVAS, y * CANVAS + 38), "pa", 200, ImageFont.load_default(14))
    if wide:
        font = ImageFont.load_default(18)
        for place, word in (((0.9, 0.03), "PA"), ((0.84, 0.075), "ERECT")):
            at = (place[0] * CANVAS, place[1] * CANVAS)
            pen.rectangle(pen.textbbox(at, word, font=font), 255)
            pen.text(at, word, 0, font)
    return np.asarray(board.resize((size, size), Image.Resampling.BILINEAR), np.float32) * (u(0.75, 1.0) / 255)
