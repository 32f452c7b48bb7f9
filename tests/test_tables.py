"""The printed tables are those of the committed runs."""

import importlib.util
from pathlib import Path

import pytest

from drd_plugin.bench.results import files_of, read_results

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
assert spec is not None
assert spec.loader is not None
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)


@pytest.mark.parametrize("page", tables.PAGES)
def test_a_page_prints_what_the_runs_say(page):
    assert tables.BLOCK.search((ROOT / page).read_text())
    assert tables.printed(page) == (ROOT / page).read_text()


@pytest.mark.parametrize("folder", tables.folders(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_committed_tables_are_those_of_the_runs(folder):
    for name, text in files_of(read_results(folder)).items():
        assert (folder / name).read_text() == text
    assert {path.stem for path in folder.glob("*.png")} == {*read_results(folder).plots}


def test_a_number_that_was_changed_by_hand_is_found(tmp_path):
    folder = tables.folders()[0].relative_to(ROOT)
    page = tmp_path / "page.md"
    page.write_text(f"<!-- table 1 of {folder} -->\n\n| 99.9 |\n\n<!-- end -->\n")
    text = tables.printed(str(page))
    assert "99.9 |\n\n<!-- end" not in text
    assert text.count("|") > 10
