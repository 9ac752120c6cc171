"""The readers that benchmarks.fuzz knows, by name."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.fuzz import networks, pictures, records
from benchmarks.fuzz.changes import Seed

SEEDS: dict[str, Callable[[Path], list[Seed]]] = {
    "images": pictures.images,
    "dicom": pictures.dicom,
    "siim": pictures.siim,
    "splits": pictures.splits,
    "classes": records.classes,
    "options": records.options,
    "recipes": records.recipes,
    "logs": records.logs,
    "threshold": records.threshold,
    "dataset": records.dataset,
    "results": records.results,
    "states": networks.states,
    "tasks": networks.tasks,
    "train_state": networks.train_state,
}
"""What writes the reader's seeds into a folder."""
