"""The printed tables are those of the committed runs, which the first edition wrote."""

import importlib.util
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from drd_plugin.artifacts import Run
from drd_plugin.bench import RunStore, files_of, read_results

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
assert spec is not None
assert spec.loader is not None
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)
tables.read_results = cache(read_results)  # each folder once for all tests


@pytest.mark.parametrize("page", tables.PAGES)
def test_a_page_prints_what_the_runs_say(page):
    assert tables.BLOCK.search((ROOT / page).read_text())
    assert tables.printed(page) == (ROOT / page).read_text()


@pytest.mark.parametrize("folder", tables.folders(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_committed_tables_are_those_of_the_runs(folder):
    results = tables.read_results(folder)
    for name, text in files_of(results).items():
        assert (folder / name).read_text() == text
    assert {path.stem for path in folder.glob("*.png")} == {*results.plots}


def test_a_number_that_was_changed_by_hand_is_found(tmp_path):
    folder = tables.folders()[0].relative_to(ROOT)
    page = tmp_path / "page.md"
    page.write_text(f"<!-- table 1 of {folder} -->\n\n| 99.9 |\n\n<!-- end -->\n")
    text = tables.printed(str(page))
    assert "99.9 |\n\n<!-- end" not in text
    assert text.count("|") > 10


@pytest.mark.parametrize(
    ("experiment", "missing"),
    [
        (
            "main",
            {
                "budget", "axis", "epochs", "seconds_features", "seconds_autoencoder", "seconds_sampler",
                "usage_entropy", "usage_largest", "usage_range", "curve", "trajectory",
            },
        ),
        ("dynamic", {"k", "step_best", "chosen"}),
    ],
)  # fmt: skip
def test_rows_of_the_first_edition_are_read_with_the_defaults_of_a_run(experiment, missing):
    store = RunStore(ROOT / "benchmarks" / "results" / experiment / "digits")
    stored, rows = pd.read_parquet(store.runs / "all.parquet"), store.frame()
    assert list(rows) == [field.name for field in fields(Run)]
    assert {*rows} - {*stored} == missing
    pd.testing.assert_frame_equal(rows[[*stored]], stored)
    defaults = {field.name: field.default for field in fields(Run) if field.default is not MISSING}
    for name in missing:
        assert rows[name].map(repr).unique().tolist() == [repr(defaults[name])]
    assert len(store.latest()) == len(rows)
    Run(**rows.iloc[0].to_dict())
