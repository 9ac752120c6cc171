"""The card of a run, checkpoints/<name>/README.md, as the Hugging Face hub shows it: data, scores, settings, use.

`card.json` beside it keeps what the card says. It is written again at the end of a training and after a test, between
two marks and under `model-index`; what the user writes elsewhere stays.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from util import distributed
from util.commands import CHECKPOINTS_DIR, named
from util.files import read_json, write_json, write_text
from util.run.aside import CARD as FILES

CARD, RECORD = FILES
BEGIN = "<!-- pix2mask writes from here, after each training and test; write above or below -->"
END = "<!-- pix2mask writes up to here -->"
FRONT = """---
license: # fill in before you publish, such as cc-by-4.0
library_name: pix2mask
pipeline_tag: image-segmentation
tags:
- medical-imaging
---
"""
USE = """## Use

The files belong into `checkpoints/{run}` of pix2mask.

    from huggingface_hub import snapshot_download  # where the card is on the hub
    snapshot_download("OWNER/REPO", local_dir="PATH/TO/pix2mask/checkpoints/{code}")
    import torch
    segmenter = torch.hub.load("PATH/TO/pix2mask", "segmenter", "{code}", source="local")  # epoch="best": those weights
    mask, probabilities = segmenter("scan.png")
"""
BELOW = """
## Intended use and limits

For research and teaching. It is not a medical device, and no one has tested it for the care of patients. Scores hold
for images like those named above. On images of another hospital, projection or age they may be far lower: look at the
masks of your own images first.

## Licences

- Weights: see `license` at the top.
- Data they were trained on: (fill in: owner, licence, and whether weights made from them may be given away)
- Donor: (fill in where the run started from another network)
- Code: pix2mask, BSD 2-Clause
"""


def write_card(folder: Path, run: str, training: Mapping[str, object]) -> None:
    """Write the card of a run at the end of a training. Earlier scores leave it, since they are of other weights.

    run: its name, such as lungs/fold_0. training: facts by their titles, in the order of the card.
    """
    record = {"training": [[title, str(fact)] for title, fact in training.items() if fact], "scores": []}
    write_json(folder / RECORD, record)
    _write(folder, run, record)


def add_scores(
    folder: Path, run: str, test: Mapping[str, str], weights: Path, summary: Mapping[str, Any], names: list[str]
) -> None:
    """Bring the card of a run up to date with a test. A run without a card gets none.

    run: its name. test: phase, epoch and data. summary: of an evaluation. names: of its scores, the main one first.
    """
    try:
        record = read_json(folder / RECORD)
        others = [one for one in record["scores"] if any(one[key] != test[key] for key in ("phase", "epoch"))]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return
    kind = "macro" if names[0] == "dice" else "micro"
    scores = [
        {
            "type": name,
            "value": value,
            "words": f"{'mean' if kind == 'macro' else 'pooled'} {name} {value:.4f} ({low:.4f} to {high:.4f})",
        }
        for name in names[:2]
        if (value := summary[kind][name]) is not None
        for low, high in [summary["interval"][kind][name]]
    ]
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    counts = f"{summary['images']} of {summary['patients']}"
    record["scores"] = [*others, {**test, "weights": digest, "images": counts, "scores": scores}]
    write_json(folder / RECORD, record)
    _write(folder, run, record)


def known_of(weights: Path) -> list[str]:
    """What the card beside a file of weights says of it: the licence, and the scores of just these weights."""
    licence = licence_in(weights.parent)
    lines = [f"licence: {licence}"] if licence else []
    try:
        tests = read_json(weights.with_name(RECORD))["scores"]
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        for test in tests:
            if test["weights"] == digest:
                words = "; ".join(score["words"] for score in test["scores"])
                lines.append(f"tested on {test['data']}, phase {test['phase']}, {test['images']}: {words}")
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    return lines


def licence_in(folder: Path) -> str:
    """The licence that the card in a run's folder names; "" if it names none, or there is no card."""
    card = folder / CARD
    text = card.read_text("utf-8", "replace") if card.is_file() else ""
    named = re.match(r"---\n(?:.+\n)*?license:[ \t]*([^\s#].*)", text)
    return named[1] if named else ""


def _write(folder: Path, run: str, record: Mapping[str, Any]) -> None:
    path = folder / CARD
    text = f"{FRONT}\n# {run}\n\nA network trained with pix2mask.\n\n{BEGIN}\n{END}\n{BELOW}"
    if path.is_file():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:  # it has no marks, as in any text of the user's own
            text = ""
    front, begin, rest = text.partition(BEGIN)
    _, end, below = rest.partition(END)
    head = re.match(r"---\n(.*?\n)---\n", front, re.DOTALL)
    if not (head and begin and end):
        distributed.say(f"note: {path} has no marks between which pix2mask may write; it is left as it is")
        return
    kept = re.sub(r"^model-index:\n(?:[ -].*\n)*", "", head[1], flags=re.MULTILINE)
    front = f"---\n{kept}{_index(run, record['scores'])}---\n{front[head.end() :]}"
    write_text(path, f"{front}{BEGIN}\n\n{_body(run, record)}\n{END}{below}")


def _index(run: str, tests: list) -> str:
    """The scores as the hub reads them. JSON's strings are YAML's, too."""
    lines = ["model-index:", f"- name: {json.dumps(run)}", "  results:"] if tests else []
    for test in tests:
        data = json.dumps(test["data"])
        lines += ["  - task:", "      type: image-segmentation", "    dataset:", f"      name: {data}"]
        lines += [f"      type: {data}", f"      split: {json.dumps(test['phase'])}", "    metrics:"]
        for score in test["scores"]:
            words = f"epoch {test['epoch']}: {score['words']}"
            lines += [f"    - type: {score['type']}", f"      value: {score['value']:.4f}"]
            lines += [f"      name: {json.dumps(words)}"]
    return "".join(f"{line}\n" for line in lines)


def _body(run: str, record: Mapping[str, Any]) -> str:
    facts = "\n".join(f"- {title}: {fact}" for title, fact in record["training"])
    head = "| data | phase, epoch | images of patients | scores (95 % interval over patients) | sha256 |"
    rows = "\n".join([head, "|---|---|---|---|---|", *map(_row, record["scores"])])
    scores = rows if record["scores"] else f"None yet: `python test.py {named(run, CHECKPOINTS_DIR)}` adds them."
    code = json.dumps(run, ensure_ascii=False)[1:-1]  # inside of quotation marks in Python, as in JSON
    return f"## Training\n\n{facts}\n\n## Scores\n\n{scores}\n\n{USE.format(run=run, code=code)}"


def _row(test: Mapping[str, Any]) -> str:
    scores = "; ".join(score["words"] for score in test["scores"])
    phase = f"{test['phase']}, {test['epoch']}"
    return f"| {test['data']} | {phase} | {test['images']} | {scores} | {test['weights'][:12]} |"
