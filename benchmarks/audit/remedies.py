"""Would other scores, or the mean of two networks an image, bring the known masks farther forward?

    python -m benchmarks.audit.remedies --dataroot datasets/lungs

Run `python -m benchmarks.audit` with --seed 0 and --seed 1 first. Prints a row for each remedy as markdown,
with the figures of both seeds.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion, distance_transform_edt

from benchmarks.audit.faults import HALVES, KNOWN, plant
from benchmarks.runs import lungs_parser, markdown
from data.audit.kinds import CAUSED
from data.audit.run import audit
from data.masks import find_rows
from util.errors import run_script
from util.score.mask_rule import MaskRule

SEEDS = (0, 1)
RULE = MaskRule(fill_holes=True, keep_largest=2)
"""As the networks of `benchmarks.audit` cut their masks."""


def scores(mask: np.ndarray, predicted: np.ndarray, confidence: np.ndarray) -> dict[str, float]:
    """Ways to rank a disagreement; `data.audit.disagreement` has the first. Masks: bool [H, W]."""
    size = max(np.count_nonzero(mask), np.count_nonzero(predicted), 1)
    unit = size**0.5
    inside, outside = (np.asarray(distance_transform_edt(side)) for side in (mask, ~mask))
    far = np.minimum(np.maximum(inside, outside), unit) / unit if mask.any() else np.ones(mask.shape)
    plain = (mask != predicted).astype(float)
    weight, boundary = plain * confidence, max(np.count_nonzero(mask & ~np.asarray(binary_erosion(mask))), 1)
    return {
        "as it is": (weight * far).sum() / size,
        "no confidence": (plain * far).sum() / size,
        "area alone": weight.sum() / size,
        "area alone, no confidence": plain.sum() / size,
        "distance alone": (weight * far).sum() / max(weight.sum(), 1e-9),
        "distance squared": (weight * far**2).sum() / size,
        "relative to the boundary's length": (weight * far).sum() / boundary,
    }


def results_of(results_dir: Path, seed: int) -> list[Path]:
    pairs = (HALVES, HALVES[::-1])
    return [results_dir / f"audit_{half}_{seed}" / f"{other}_latest" for half, other in pairs]


def foreground(results: list[Path], name: str) -> np.ndarray:
    """The foreground values of the network that has not seen an image, 0..1 [H, W]."""
    (path,) = (path for folder in results if (path := folder / "images" / f"{name}_fake_B.png").is_file())
    return np.asarray(Image.open(path).convert("L")) / 255


def places_by(dataroot: str, results_dir: Path, seed: int) -> dict[str, tuple[int, int, int]]:
    """For each remedy: how many spoiled masks are among the first 30, how many known ones among the first 60, and the
    last known one's rank."""
    folder = results_dir / f"audit_data_{seed}"
    spoiled = plant(dataroot, folder, seed)
    results = [results_of(results_dir, each) for each in (seed, *(other for other in SEEDS if other != seed))]
    kinds = {entry.id: entry.kind for entry in audit(results[0], folder)}
    ranked: dict[str, dict[str, float]] = {}  # the scores of the images by remedy
    for image, row in find_rows(folder).items():
        mask = np.logical_or.reduce([np.asarray(Image.open(path)) > 0 for path in row.masks])
        values = [foreground(each, image) for each in results]
        for whose, value in (("", values[0]), ("two networks, ", np.mean(values, axis=0))):
            for name, score in scores(mask, RULE(value), np.abs(2 * value - 1)).items():
                ranked.setdefault(whose + name, {})[image] = score
    found = {}
    for name, score in ranked.items():
        order = sorted(score.items(), key=lambda item: (kinds[item[0]] in CAUSED, item[1]), reverse=True)
        places = {image: place for place, (image, _) in enumerate(order, 1)}
        known = [places[image] for image in KNOWN]
        found[name] = sum(places[image] <= 30 for image in spoiled), sum(place <= 60 for place in known), max(known)
    return found


def main() -> None:
    args = lungs_parser(__doc__).parse_args()
    found = [places_by(args.dataroot, args.results_dir.resolve(), seed) for seed in SEEDS]
    lines = []
    for name in found[0]:
        columns = zip(*(each[name] for each in found), strict=True)
        lines.append([name, *(", ".join(map(str, column)) for column in columns)])
    print(markdown(["score", "spoiled among the first 30", "known among the first 60", "rank of the last"], lines))


if __name__ == "__main__":
    run_script(main)
