"""docs/first_segmenter.ipynb runs from an empty folder to a mask, and is committed without outputs."""

import json
import re

import pytest

from tests.helpers import ROOT, read_json

NOTEBOOK = ROOT / "docs" / "first_segmenter.ipynb"


def cells() -> list[dict]:
    return [cell for cell in read_json(NOTEBOOK)["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_has_no_outputs_and_its_links_lead_to_files():
    assert [cell["outputs"] for cell in cells()] == [[]] * len(cells())
    assert [cell["execution_count"] for cell in cells()] == [None] * len(cells())
    text = json.dumps(read_json(NOTEBOOK))
    links = re.findall(r"\]\((\w+\.md)\)", text)
    assert links
    assert [link for link in links if not (NOTEBOOK.parent / link).is_file()] == []
    recipes = re.findall(r"recipes/(\w+)\.txt", text)
    assert [name for name in recipes if not (ROOT / "recipes" / f"{name}.txt").is_file()] == []


@pytest.mark.slow
def test_the_notebook_runs_from_an_empty_folder_to_a_mask(tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    for name, value in {"DATA": "chests", "CHECKPOINTS": "runs", "RESULTS": "results"}.items():
        monkeypatch.setenv(f"NOTEBOOK_{name}", str(tmp_path / value))
    monkeypatch.setenv("NOTEBOOK_SMALL", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": ROOT / "docs"}}).execute()
    *_, overlays, last = (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert sum("image/png" in output.get("data", {}) for output in overlays) == 3
    assert re.search(r"64 x 64 pixels, \d+\.\d% of them lung", last[0].text)
    assert (tmp_path / "results" / "first_segmenter" / "test_best" / "index.html").is_file()
    assert "| chests | test, best |" in (tmp_path / "runs" / "first_segmenter" / "README.md").read_text("utf-8")
