"""Every notebook runs from its first cell to its last, with small settings; and is committed as it ran."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SMALL = {
    "01_quickstart": "STEPS, EPOCHS, SEEDS = 20, 20, (0,)",
    "02_compare_baselines": 'METHODS, FRACTIONS, SEEDS = ("Random", "AUM", "CCS"), (0.1,), (0, 1)',
    "03_what_does_drd_see": "DRAWS, B, NOISES = 2, 2, 3",
    "04_choosing_the_timestep": "B, NOISES = 2, 3",
    "05_inside_deepcore": 'EPOCHS, METHODS = 10, ("Uniform", "Forgetting+BWS")',
    "06_dynamic_selection": 'METHODS, FRACTION, SEEDS, STEPS, EPOCHS = ("RS2", "FactorCurriculum"), 0.3, (0,), 20, 3',
}
STANDIN = ROOT / "tests" / "support" / "standin"


def test_these_are_all():
    assert [path.stem for path in NOTEBOOKS] == list(SMALL)


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_the_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPCORE_PATH", os.environ.get("DEEPCORE_PATH", str(STANDIN)))
    notebook = nbformat.read(path, as_version=4)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source = SMALL[path.stem]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_the_notebook_is_committed_as_it_ran(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs) or path.stem == "05_inside_deepcore"
