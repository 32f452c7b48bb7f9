"""Experiments by name and size, as the package brings them, and as a TOML file of one's own has them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bench import (
    STUDIES,
    GridError,
    RunStore,
    Workers,
    experiments,
    find_experiment,
    read_results,
    run_experiment,
    run_grid,
)
from drd_plugin.bench.catalog import published_file
from drd_plugin.bench.studies.noise import Noise
from drd_plugin.bench.tables.published import published
from drd_plugin.cli import main
from drd_plugin.core.registry import UnknownName
from drd_plugin.methods import parse
from drd_plugin.training import Recipe

EVERY = [(file.path.stem, size.name) for file in experiments() for size in file.sizes]

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


ONE_WORKER = {"device": "cpu", "workers": 1, "progress": False}


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
    experiment = find_experiment(name, size)
    assert (experiment.name, experiment.size.name, experiment.grid.name) == (name, size, name)
    assert type(experiment.study) in STUDIES.values()
    assert experiment.grid.parsed
    if size in ("digits", "fashion_mnist"):
        assert experiment.grid.dataset["name"] == size


def test_the_papers_experiments_are_there_at_three_sizes():
    sizes = {file.path.stem: {size.name for size in file.sizes} for file in experiments()}
    paper = {"main", "table1", "table2", "figure2", "figure3", "figure5", "figure6", "cross_arch"}
    assert paper | {"equal_cost", "noise", "reliability"} <= set(sizes)
    for name in paper:
        assert {"digits", "fashion_mnist"} < sizes[name]
    assert all(size.hours and size.machine for file in experiments() for size in file.sizes if size.name)


def test_the_list_says_what_each_costs(capsys):
    main(["bench", "--list"])
    printed = capsys.readouterr().out
    for name, size in EVERY:
        assert re.search(rf"^{name} ", printed, re.MULTILINE)
        assert size in printed


def test_an_experiment_is_found_by_name_whatever_lies_in_the_current_directory(quick, tmp_path, monkeypatch):
    expected = find_experiment("main")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "main.toml").write_text(quick.read_text())
    monkeypatch.chdir(tmp_path)
    assert find_experiment("main") == expected
    with pytest.raises(UnknownName, match="unknown experiment 'quick'"):
        find_experiment("quick")
    assert find_experiment("benchmarks/main.toml").about == "A quick look.", "a file is asked for by its path"


def test_the_path_of_the_first_edition_says_where_the_experiment_went(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GridError, match=r"no benchmarks/main\.toml: .*are asked for by name now: main\)"):
        find_experiment("benchmarks/main.toml")


def test_a_size_gives_what_the_experiment_leaves_open(quick):
    experiment = find_experiment(quick)
    grid = experiment.grid
    assert (grid.seeds, grid.dataset, grid.pin) == ((0, 1), {"name": "digits"}, {"noise": 0})
    assert grid.recipe == Recipe(net="lenet", steps=4)
    assert (grid.proxy.net, grid.proxy.epochs, grid.proxy.augment) == ("lenet", 2, "shift")
    assert (experiment.size.hours, experiment.size.machine, experiment.about) == (0.01, "anything", "A quick look.")
    assert experiment.study.baselines == ("Forgetting",)
    assert experiment.place == Path("quick/digits")
    assert find_experiment("main", "fashion_mnist").grid.dataset == {"name": "fashion_mnist"}


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


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished experiment and its results."""
    folder = tmp_path_factory.mktemp("experiments")
    (folder / "quick.toml").write_text(QUICK)
    experiment = find_experiment(folder / "quick.toml")
    return experiment, folder / "out", run_experiment(experiment, out=folder / "out", **ONE_WORKER)


def test_an_experiment_runs_writes_and_is_read_again(finished, capsys):
    experiment, out, results = finished
    command = f"`drd-plugin bench {experiment.file} --size digits`"
    assert results.text.startswith(f"# quick on digits\n\nA quick look.\n\n{command}")
    assert "Difference from Forgetting in points" in results.text
    assert "Published, on another data set: ImageWoof, ResNet-18 (Chen et al., AAAI 2026, Table 1; " in results.text
    assert {"table.md", "table.csv", "table.tex", "accuracy.png", "runs"} <= {path.name for path in out.iterdir()}
    assert read_results(out).text == (out / "table.md").read_text() == results.text
    main(["show", str(out)])
    assert capsys.readouterr().out.strip() == results.text.strip()
    before = RunStore(out).frame()
    run_experiment(experiment, out=out, **ONE_WORKER)
    assert RunStore(out).frame().equals(before)


def test_results_of_another_recipe_or_data_set_are_refused(finished):
    experiment, out, _ = finished
    grid = experiment.grid
    other = replace(grid, recipe=replace(grid.recipe, steps=5))
    with pytest.raises(ArtifactError, match=r"another grid \(recipe\.steps 4, not 5; see .*--out"):
        run_grid(other, Workers(out, **ONE_WORKER))
    planted = replace(grid, dataset={"name": "digits", "wrong_labels": 0.1})
    with pytest.raises(ArtifactError, match=r"dataset\.wrong_labels None, not 0\.1"):
        run_grid(planted, Workers(out, **ONE_WORKER))


def test_grids_share_scores(finished, workers):
    experiment, out, _ = finished
    files = {path: path.stat().st_mtime_ns for path in (out / "scores").rglob("*.parquet")}
    assert files
    grid = replace(experiment.grid, seeds=(0,), methods=("Forgetting+CCS[variant=drd]",))
    run_grid(grid, replace(workers, scores=out / "scores"))
    assert {path: path.stat().st_mtime_ns for path in (out / "scores").rglob("*.parquet")} == files
    assert not (workers.out / "scores").exists()


@pytest.mark.parametrize("count", [0, -1])
def test_nobody_to_work_is_refused(tmp_path, count):
    with pytest.raises(ValueError, match="at least one worker"):
        Workers(tmp_path, workers=count)


def test_published_numbers_are_those_of_the_paper():
    assert published_file("table1")["rows"]["DRD+BWS"] == ["74.5 ± 0.5", "83.3 ± 0.4", "88.7 ± 0.8"]
    matrix = published_file("figure3")["rows"]
    for values in matrix.values():
        *parts, average = map(float, values)
        assert abs(sum(parts) / 5 - average) < 0.06
    assert "| DRD+CCS" in published("table1")
    assert len(published_file("table2")["rows"]) == 6
    with pytest.raises(UnknownName, match="unknown published numbers 'table3'"):
        published("table3")


def test_settings_of_studies_are_checked():
    with pytest.raises(UnknownName, match="unknown kind of noise 'wrong_lables'"):
        Noise(kinds=("wrong_lables",))
    with pytest.raises(ValueError, match="share"):
        Noise(shares=(1.5,))


RANKINGS = ("cross_evaluation", "separation", "stability")


@pytest.mark.parametrize("study", RANKINGS)
def test_studies_of_whole_rankings_refuse_what_they_would_not_use(quick, study):
    quick.write_text(QUICK.replace('baselines = ["Forgetting"]', f'name = "{study}"'))
    experiment = find_experiment(quick)
    assert experiment.changed(seeds=(3,)).grid.seeds == (3,)
    with pytest.raises(GridError, match="quick looks at whole rankings, so that fractions mean nothing to it"):
        experiment.changed(fractions=(0.5,))
    with pytest.raises(GridError, match=r"makes no use of nets: leave them out; convnet would not be trained"):
        replace(experiment, grid=replace(experiment.grid, nets=("lenet", "convnet")))
    quick.write_text(quick.read_text().replace("fractions =", 'nets = ["convnet"]\nfractions ='))
    with pytest.raises(GridError, match="convnet would not be trained"):
        find_experiment(quick)


@pytest.mark.parametrize("study", sorted({*STUDIES} - {*RANKINGS}))
def test_the_other_studies_take_fractions_and_nets(quick, study):
    quick.write_text(QUICK.replace('baselines = ["Forgetting"]', f'name = "{study}"'))
    experiment = find_experiment(quick).changed(fractions=(0.5,))
    several = replace(experiment, grid=replace(experiment.grid, nets=("lenet", "convnet")))
    assert several.grid.fractions == (0.5,)
    assert several.grid.trained_nets == ("lenet", "convnet")


def test_a_root_without_the_data_says_what_was_looked_for(tmp_path, workers):
    experiment = find_experiment("main", "fashion_mnist").changed(root=tmp_path)
    with pytest.raises(ValueError, match=r"found no train-images-idx3-ubyte or .*give the folder with the four idx"):
        run_grid(experiment.grid, workers)
