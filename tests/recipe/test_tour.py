"""The notebook runs from its first cell to its last, as a reader runs it."""

import os

import pytest
from places import REPOSITORY

nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
pytest.importorskip("ipykernel", reason="needs a kernel of Jupyter")
pytest.importorskip("parselmouth", reason="the embedded corpus needs Praat")

TOUR = REPOSITORY / "notebooks" / "tour.ipynb"
SYSTEMS = ["teacher", "student_unsupervised", "student"]
BYTES = 400_000  # of the committed file, with its pictures


def test_the_notebook_runs_and_decides_on_a_recording(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    tour = nbformat.read(TOUR, as_version=4)
    client = nbclient.NotebookClient(
        tour,
        timeout=900,  # a machine with much else to do
        kernel_name="python3",
        resources={"metadata": {"path": str(TOUR.parent)}},
    )
    client.execute()  # raises for a cell that fails
    *_, last = (cell for cell in tour.cells if cell.cell_type == "code")
    text = "".join(output["text"] for output in last.outputs)
    assert [row.split()[0] for row in text.splitlines()] == SYSTEMS
    grids = tmp_path.glob("mlkd-tour-*/results/*/1986/fold_1/predictions.csv")
    assert len(list(grids)) == len(SYSTEMS)


def test_the_committed_notebook_has_its_outputs_and_no_path_of_ours():
    tour = nbformat.read(TOUR, as_version=4)
    cells = [cell for cell in tour.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    kinds = {
        kind for c in cells for o in c.outputs for kind in o.get("data", {})
    }
    assert {"image/jpeg", "text/markdown", "text/html"} <= kinds
    text = TOUR.read_text()
    assert len(text) < BYTES
    assert not any(place in text for place in ("/tmp/", "/work/", "/home/"))
