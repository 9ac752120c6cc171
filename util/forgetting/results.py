"""The files of a study beside its page: forgetting.json holds everything, forgetting.csv one line for each method."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from util.files import write_json
from util.forgetting.study import Method, Study


def write_results(folder: Path, study: Study, data: Sequence[Mapping[str, object]]) -> None:
    """Write forgetting.json and forgetting.csv. data: for each task, the flags that say which images it has."""
    write_json(folder / "forgetting.json", {"data": data} | as_json(study))
    write_csv(folder / "forgetting.csv", study)


def as_json(study: Study) -> dict:
    """All measures and figures; None where undefined."""
    return {
        "donor": {"name": study.donor} | study.donor_costs,
        "tasks": [vars(task) for task in study.tasks],
        "start": study.start,
        "methods": {method.label: _method(study, method) for method in study.methods},
        "features of kid": study.features,
    }


def _method(study: Study, method: Method) -> dict:
    return {
        "runs": method.runs,
        "adapt": method.adapt,
        "R": _matrix(method.R),
        "figures": study.figures(method),
        "chance": method.chance,
        "measures": method.measures,
        "costs": method.costs,
        "curve": method.curve,
        "training": method.training,
        "proofs": method.proofs,
        "figures_sd": study.deviations(method),
        "figures_interval": study.intervals(method),
        "seeds": [
            {"runs": seed.runs, "R": _matrix(seed.R), "figures": study.figures(seed), "measures": seed.measures}
            for seed in method.seeds
        ],
    }


def _matrix(R: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(x) else float(x) for x in row] for row in R]


def write_csv(path: Path, study: Study) -> None:
    """One line for each method: its figures, and with several seeds their standard deviations."""
    lines = [
        {"method": m.label, "runs": " ".join(m.runs), "adapt": m.adapt}
        | study.figures(m)
        | {f"{name}_sd": x for name, x in study.deviations(m).items()}
        for m in study.methods
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = list(dict.fromkeys(name for line in lines for name in line))
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for line in lines:
            writer.writerow({name: f"{x:z.6g}" if isinstance(x, float) else x for name, x in line.items()})
