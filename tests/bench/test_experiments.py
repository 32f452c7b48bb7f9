"""Experiments by name and size, as they lie under `benchmarks/`."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bench.experiment import experiments, find_experiment, find_grid
from drd_plugin.bench.grid import GridError
from drd_plugin.bench.results import read_results, run_experiment
from drd_plugin.bench.run import run_grid
from drd_plugin.bench.store import RunStore
from drd_plugin.bench.studies import STUDIES, Noise
from drd_plugin.bench.tables.published import published, published_numbers
from drd_plugin.bench.workers import Lab
from drd_plugin.cli import main
from drd_plugin.core.registry import UnknownName
from drd_plugin.methods.published import parse
from drd_plugin.training.recipe import Recipe

EVERY = [(name, size.name) for name, _, sizes in experiments() for size in sizes]

QUICK = """
about = "A quick look."
published = "table1"
methods = ["Random", "Forgetting"]
fractions = [0.1]

[study]
baselines = ["Forgetting"]

[sizes.digits]
seeds = [0, 1]
recipe = {net = "lenet", steps = 4}
proxy = {epochs = 2}
hours = 0.01
on = "anything"
"""


@pytest.fixture
def quick(tmp_path):
    path = tmp_path / "quick.toml"
    path.write_text(QUICK)
    return path


@pytest.mark.parametrize(("name", "size"), EVERY, ids=["-".join(pair) for pair in EVERY])
def test_every_experiment_is_read_at_every_size(name, size):
    if name == "deepcore":
        with pytest.raises(ValueError, match="DeepCore is not importable"):
            find_experiment(name, size)
        return
    found = find_experiment(name, size)
    assert (found.name, found.size.name, found.grid.name) == (name, size, name)
    assert type(found.study) in STUDIES.values()
    assert found.grid.parsed
    if size in ("digits", "fashion_mnist"):
        assert found.grid.dataset["name"] == size


def test_the_papers_experiments_are_there_at_three_sizes():
    sizes = {name: {size.name for size in found} for name, _, found in experiments()}
    paper = {"main", "table1", "table2", "figure2", "figure3", "figure5", "figure6", "cross_arch"}
    assert paper | {"equal_cost", "noise", "reliability"} <= set(sizes)
    for name in paper:
        assert {"digits", "fashion_mnist"} < sizes[name]
    assert all(size.hours and size.on for _, _, found in experiments() for size in found if size.name)


def test_the_list_says_what_each_costs(capsys):
    main(["bench", "--list"])
    printed = capsys.readouterr().out
    for name, size in EVERY:
        assert re.search(rf"^{name} ", printed, re.MULTILINE)
        assert size in printed


def test_a_size_gives_what_the_experiment_leaves_open(quick):
    found = find_experiment(quick)
    grid = found.grid
    assert (grid.seeds, grid.dataset, grid.pin) == ((0, 1), {"name": "digits"}, {"noise": 0})
    assert grid.recipe == Recipe(net="lenet", steps=4)
    assert (grid.proxy.net, grid.proxy.epochs, grid.proxy.augment) == ("lenet", 2, "shift")
    assert (found.size.hours, found.size.on, found.about) == (0.01, "anything", "A quick look.")
    assert found.study.baselines == ("Forgetting",)
    assert found.place == Path("quick/digits")
    assert find_grid("main", "fashion_mnist").dataset == {"name": "fashion_mnist"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("sizes.digits", "sizes.digitz"), UnknownName, "unknown size 'digitz': did you mean 'digits'"),
        (("baselines", "base_line"), UnknownName, "unknown setting of the study in .*'base_line': did you mean 'bas"),
        (('[study]\nbaselines = ["Forgetting"]', '[study]\nname = "noize"'), UnknownName, "unknown study 'noize'"),
        (('"Forgetting"]', '"Forgetting+Nothing"]'), UnknownName, "unknown strategy 'Nothing'"),
        (("about", "abbout"), UnknownName, "unknown key in .*'abbout'"),
        (("[study]", "[scores.AUM]\nmargin = 'probabilities'\n[study]"), UnknownName, "for a whole grid 'AUM'"),
        (("[study]", "[scores.DRD]\ndrawz = 3\n[study]"), None, ""),
    ],
)
def test_experiments_that_cannot_be_read(quick, change, error, message):
    quick.write_text(quick.read_text().replace(*change))
    if error is None:  # found when a method has that score
        quick.write_text(quick.read_text().replace('"Random"', '"DRD"'))
        error, message = UnknownName, "unknown setting of DRD 'drawz': did you mean 'draws'"
    with pytest.raises(error, match=message):
        find_experiment(quick)


def test_names_that_nobody_knows(quick):
    with pytest.raises(UnknownName, match="unknown experiment 'tabel1': did you mean 'table1'"):
        find_experiment("tabel1")
    with pytest.raises(UnknownName, match=r"unknown size of quick 'fashion': .*digits"):
        find_experiment(quick, "fashion")
    with pytest.raises(GridError, match=r"there is no .*nothing.toml: expected a TOML file, or a name"):
        find_experiment(quick.with_name("nothing.toml"))
    quick.write_text("methods = [")
    with pytest.raises(GridError, match="cannot be read as a grid"):
        find_experiment(quick)


def test_settings_of_a_grid_are_those_of_its_diffusion_scores():
    settings = {"DRD": {"draws": 3, "solver": "unipc"}}
    for name in ("DRD", "DRD+CCS", "DRD+Window[start=0.1]"):
        assert (parse(name, settings).score.draws, parse(name, settings).score.solver) == (3, "unipc")
    assert parse("DRD[draws=5]", settings).score.draws == 5
    assert parse("DRD[draws=5]+CCS", settings).score.draws == 5
    assert parse("Forgetting", settings) == parse("Forgetting")
    assert parse("DRD").score.draws != 3


def test_an_experiment_runs_writes_and_is_read_again(quick, tmp_path, capsys):
    wanted, out = find_experiment(quick), tmp_path / "out"
    found = run_experiment(wanted, Lab(out, workers=1, progress=False))
    assert found.text.startswith(f"# quick on digits\n\nA quick look.\n\n`drd-plugin bench {quick} --size digits`")
    assert "Difference from Forgetting in points" in found.text
    assert "Published, on another data set: ImageWoof, ResNet-18 (Chen et al., AAAI 2026, Table 1; " in found.text
    assert {"table.md", "table.csv", "table.tex", "accuracy.png", "runs"} <= {path.name for path in out.iterdir()}
    assert read_results(out).text == (out / "table.md").read_text() == found.text
    main(["show", str(out)])
    assert capsys.readouterr().out.strip() == found.text.strip()
    before = RunStore(out).frame()
    run_experiment(wanted, Lab(out, workers=1, progress=False))
    assert RunStore(out).frame().equals(before)


def test_results_of_another_recipe_or_data_set_are_refused(quick, tmp_path):
    grid = find_grid(quick)
    run_grid(replace(grid, seeds=(0,), methods=("Random",)), tmp_path / "out", "cpu", False, workers=1)
    other = replace(grid, recipe=replace(grid.recipe, steps=5))
    with pytest.raises(ArtifactError, match=r"another grid \(recipe\.steps 4, not 5; see .*--out"):
        run_grid(other, tmp_path / "out", "cpu", False)
    planted = replace(grid, dataset={"name": "digits", "wrong_labels": 0.1})
    with pytest.raises(ArtifactError, match=r"dataset\.wrong_labels None, not 0\.1"):
        run_grid(planted, tmp_path / "out", "cpu", False)


def test_workers_side_by_side_give_the_same_runs(quick, tmp_path):
    grid = find_grid(quick)
    one, two = (
        run_grid(grid, tmp_path / str(workers), "cpu", False, workers=workers).frame().set_index("key")
        for workers in (1, 2)
    )
    assert sorted(one.index) == sorted(two.index)
    assert (one["acc_last"] - two["acc_last"].reindex(one.index)).abs().max() < 2  # threads round differently


def test_grids_share_scores(quick, tmp_path):
    grid = replace(find_grid(quick), seeds=(0,))
    run_grid(grid, tmp_path / "one", "cpu", False, scores=tmp_path / "scores", workers=1)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").rglob("*.parquet")}
    assert files
    run_grid(
        replace(grid, methods=("Forgetting+CCS[variant=drd]",)), tmp_path / "two", "cpu", False,
        scores=tmp_path / "scores", workers=1,
    )  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").rglob("*.parquet")} == files
    assert not (tmp_path / "two" / "scores").exists()


@pytest.mark.parametrize("workers", [0, -1])
def test_labs_without_workers(tmp_path, workers):
    with pytest.raises(ValueError, match="at least one worker"):
        Lab(tmp_path, workers=workers)


def test_published_numbers_are_those_of_the_paper():
    assert published_numbers("table1")["rows"]["DRD+BWS"] == ["74.5 ± 0.5", "83.3 ± 0.4", "88.7 ± 0.8"]
    matrix = published_numbers("figure3")["rows"]
    for values in matrix.values():
        *parts, average = map(float, values)
        assert abs(sum(parts) / 5 - average) < 0.06
    assert "| DRD+CCS" in published("table1")
    assert len(published_numbers("table2")["rows"]) == 6
    with pytest.raises(UnknownName, match="unknown published numbers 'table3'"):
        published("table3")


def test_settings_of_studies_are_checked():
    with pytest.raises(UnknownName, match="unknown kind of noise 'wrong_lables'"):
        Noise(kinds=("wrong_lables",))
    with pytest.raises(ValueError, match="share"):
        Noise(shares=(1.5,))


def test_a_root_without_the_data_says_what_was_looked_for(tmp_path):
    wanted = find_experiment("main", "fashion_mnist")
    bare = replace(wanted.grid, dataset={"name": "fashion_mnist", "root": tmp_path})
    with pytest.raises(ValueError, match=r"found no train-images-idx3-ubyte or .*give the folder with the four idx"):
        run_grid(bare, tmp_path / "out", "cpu", False)
