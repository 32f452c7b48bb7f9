"""Static and dynamic selection under one budget: what is counted, closed cases, and the study run small."""

import json
import shutil
from dataclasses import fields, replace
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from drd_plugin.artifacts import ArtifactError, Run
from drd_plugin.bench import (
    STUDIES,
    Experiment,
    Grid,
    GridError,
    RunStore,
    Size,
    Workers,
    read_results,
    report_page,
    run_grid,
    with_settings,
    write_results,
)
from drd_plugin.bench import run as bench_run
from drd_plugin.bench import session as bench_session
from drd_plugin.bench.cells import Budget, Terms
from drd_plugin.bench.studies.budgets import EqualBudgets
from drd_plugin.bench.tables.budgets import budget_markdown, budget_summary, lower_end, seconds_to, speed_up
from drd_plugin.bench.watch import WatchedSampler, usage_entropy
from drd_plugin.core.names import read_settings
from drd_plugin.core.registry import UnknownName
from drd_plugin.core.seeds import Seeds
from drd_plugin.data import DATASETS, Dataset, from_texts
from drd_plugin.dynamic import InfoBatch
from drd_plugin.factors import Autoencoder
from drd_plugin.methods import parse_score
from drd_plugin.scoring import proxy as scoring_proxy
from drd_plugin.selection import SplitWorkbench
from drd_plugin.training import Checkpoint, Recipe, train

METHODS = ("Random", "EL2N", "RS2", "InfoBatch", "FactorCurriculum[autoencoder=Autoencoder[units=32, k=4, steps=50]]")
N = 200
RECIPE = Recipe(net="lenet", steps=40, lr=0.05, evaluations=4)


@pytest.fixture(scope="module")
def grid():
    data = {"name": "digits", "examples": N}
    return Grid("small", METHODS, (0.3,), (0, 1), data, RECIPE, RECIPE.for_epochs(3), pin={"noise": 0})


@pytest.fixture(scope="module")
def finished(grid, tmp_path_factory):
    """The folder of a finished study of all kinds of methods, with half of the examples and with all."""
    folder = tmp_path_factory.mktemp("budgets")
    study = EqualBudgets(budgets=(0.5, 1.0))
    study.run(grid, Workers(folder, device="cpu", workers=1, progress=False))
    return folder


def within(*shares, axis="samples"):
    """The terms of a comparison within these budgets."""
    return Terms(tuple(Budget(axis, share) for share in shares))


def row(**values):
    """A row with these values and dull ones else."""
    dull = {"float": 0.0, "int": 0, "str": ""}
    run = {field.name: dull[field.type] for field in fields(Run)} | {"net": "lenet", "axis": "samples", "curve": "[]"}
    run |= {"budget": 1.0, "fraction": 0.3, "epochs": 1.0, "examples_seen": 100, "seconds_train": 10.0} | values
    return run | {"key": f"{run['method']} {run['fraction']} {run['seed']}"}


def test_every_method_sees_as_many_examples_as_the_full_training(finished):
    rows = read_results(finished).rows
    whole = rows[(rows["method"] == "Full") & (rows["budget"] == 1)]
    assert (whole["examples_seen"] - 40 * N / 4).abs().max() <= 64
    for budget in (0.5, 1.0):
        examples = rows.loc[rows["budget"] == budget, "examples_seen"]
        assert (examples - budget * whole["examples_seen"].iloc[0]).abs().max() <= 64
    assert len(rows) == 2 * 2 * (1 + len(METHODS))
    assert set(rows.loc[rows["method"] == "InfoBatch", "fraction"]) == {0.0}
    assert (rows.loc[rows["method"] == "RS2", "usage_range"] <= 1).all()
    assert (rows.loc[rows["method"] == "Random", "usage_range"] > 5).all()


def test_rows_have_the_seconds_of_each_stage_the_tests_and_what_the_sampler_noted(finished):
    rows = read_results(finished).rows
    curriculum = rows[rows["method"].str.startswith("Factor")]
    assert (curriculum["seconds_features"] > 0).all()
    assert (curriculum["seconds_autoencoder"] > 0).all()
    assert (rows.loc[rows["method"] == "EL2N", "seconds_score"] > 0).all()
    assert (rows["seconds_sampler"] < rows["seconds_train"]).all()
    levels = [epoch["level"] for epoch in json.loads(curriculum["trajectory"].iloc[0])]
    assert levels == sorted(levels)
    for text in rows["curve"]:
        assert len(json.loads(text)) == 4


def test_the_study_has_tables_pictures_and_a_page(finished):
    results = read_results(finished)
    assert "from Full" in results.text
    assert results.text.count("| its own") == 2
    assert "One seed of" not in results.text, "no method depends on the noise, whose seed is pinned"
    assert {*results.plots} == {"trajectory", "budgets-30", "time-30"}
    for plot in results.plots.values():
        ax = plot(None)
        assert ax is plot(ax)
    page = report_page(finished)
    assert page.count("<img") == len(results.plots)
    assert "Accuracy and cost" not in page, "the tables have it, with all stages"


def with_rows_of(finished, out, choose):
    """A folder with some of the rows of another."""
    shutil.copytree(finished, out, ignore=shutil.ignore_patterns("scores", "subsets"))
    store = RunStore(out)
    rows = store.frame()
    rows[choose(rows)].to_parquet(store.runs / "all.parquet")
    return out


def test_a_picture_of_a_curriculum_needs_one(finished, tmp_path):
    folder = with_rows_of(finished, tmp_path / "out", lambda rows: rows["method"].isin(["Full", "Random", "RS2"]))
    assert {*read_results(folder).plots} == {"budgets-30", "time-30"}


@pytest.mark.parametrize("seeds", [{0, 1}, {1}], ids=["no seed", "the first seed alone"])
def test_a_study_that_stopped_before_its_full_trainings_has_tables_and_pictures(finished, tmp_path, seeds):
    """With the full training of no seed, or of one."""

    def choose(rows):
        return ~((rows["method"] == "Full") & rows["seed"].isin(seeds))

    folder = with_rows_of(finished, tmp_path / "out", choose)
    results = write_results(folder)
    cells = results.frames["table"].set_index(["method", "budget"])
    assert {"table.md", "table.csv", "trajectory.png", "budgets-30.png", "time-30.png"} <= {
        path.name for path in folder.iterdir()
    }
    assert results.text.count("| RS2 ") == 2
    if len(seeds) == 2:
        assert ("Full", 1.0) not in cells.index
        assert cells["difference"].isna().all()
        assert cells["faster"].isna().all()
        assert (cells["reached"] == 0).all()
        assert cells.loc[("RS2", 1.0), "n"] == 2
    else:
        assert cells.loc[("Full", 1.0), "n"] == 1
        rows = results.rows[(results.rows["budget"] == 1) & (results.rows["seed"] == 0)].set_index("method")
        gap = rows.loc["RS2", "acc_last"] - rows.loc["Full", "acc_last"]
        assert cells.loc[("RS2", 1.0), "difference"] == pytest.approx(gap)


def test_an_epoch_without_examples_is_refused_before_anything_is_trained(grid, workers, monkeypatch):
    for module in (bench_session, bench_run):
        monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("a training began"))
    with pytest.raises(ValueError, match="keeps none: take at least"):
        run_grid(replace(grid, methods=("RS2",), fractions=(0.3, 0.001)), workers, within(0.2))


def test_what_only_a_first_training_costs_is_in_no_row(grid, workers, monkeypatch):
    steps = []

    def counted(split, recipe, **more):
        steps.append(recipe.steps)
        return train(split, recipe, **more)

    monkeypatch.setattr(bench_session, "train", counted)
    monkeypatch.setattr(bench_run, "train", counted)
    run_grid(replace(grid, methods=("Random", "RS2"), seeds=(0,)), workers, within(0.2))
    assert steps == [2, *[grid.recipe.steps] * 4]


def test_plans_reach_the_trainings(grid, workers):
    study = EqualBudgets(budgets=(1.0,), slope=0.5, full_last=0.25)
    study.run(replace(grid, methods=("RS2", "InfoBatch", "Random"), seeds=(0,)), workers)
    rows = study.read(workers.out).rows.set_index("method")
    sizes = [epoch["examples"] for epoch in json.loads(rows.loc["RS2", "trajectory"])]
    assert sizes[0] == 0.3 * 0.5 * N
    assert sizes[-1] == N
    assert {epoch["examples"] for epoch in json.loads(rows.loc["Random", "trajectory"])} == {0.3 * N}


def test_a_stopped_comparison_goes_on(grid, workers, monkeypatch):
    grid = replace(grid, methods=("Random", "RS2"), seeds=(0,), recipe=replace(RECIPE, steps=12))
    calls = []

    def train_twice(*args, **more):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **more)

    monkeypatch.setattr(bench_run, "train", train_twice)
    with pytest.raises(KeyboardInterrupt):
        run_grid(grid, workers, within(1.0))
    assert len(RunStore(workers.out).frame()) == 2
    rows = run_grid(grid, workers, within(1.0)).frame()
    assert len(rows) == 3
    assert len(calls) == 3 + 1
    whole = run_grid(grid, replace(workers, out=workers.out.parent / "whole"), within(1.0)).frame()
    both = rows.merge(whole, on="key")
    assert len(both) == 3
    assert (both["acc_last_x"] == both["acc_last_y"]).all()


def test_a_training_that_is_killed_goes_on(grid, workers, monkeypatch):
    """The kill comes while the second network trains; the first had finished, and goes on from its last whole
    epoch.
    """
    grid = replace(
        grid, methods=("InfoBatch",), seeds=(0,), recipe=replace(RECIPE, steps=28), nets=("lenet", "convnet_small")
    )
    whole = run_grid(grid, replace(workers, out=workers.out.parent / "whole"), within(1.0)).frame()
    monkeypatch.setattr(bench_run, "Checkpoint", partial(Checkpoint, every=0))
    choose, killed = InfoBatch.choose, []

    def choose_or_die(self, state, examples, moment):
        if moment.epoch == 5 and len(killed) < 2:
            killed.append(moment.epoch)
            if len(killed) == 2:
                raise KeyboardInterrupt
        return choose(self, state, examples, moment)

    monkeypatch.setattr(InfoBatch, "choose", choose_or_die)
    with pytest.raises(KeyboardInterrupt):
        run_grid(grid, workers, within(1.0))
    assert len(list((workers.out / "checkpoints").iterdir())) == 2
    epochs, load_state_dict = [], WatchedSampler.load_state_dict

    def load_and_note(self, state):
        epochs.append(state["epoch"])
        load_state_dict(self, state)

    monkeypatch.setattr(WatchedSampler, "load_state_dict", load_and_note)
    rows = run_grid(grid, workers, within(1.0)).frame()
    [spent] = whole.loc[(whole["method"] == "InfoBatch") & (whole["net"] == "lenet"), "epochs"]
    assert epochs == [int(spent) - 1, 4]
    assert not (workers.out / "checkpoints").exists()
    same = ["method", "acc_last", "steps", "examples_seen", "usage_entropy", "usage_range", "trajectory"]
    assert rows.sort_values("key")[same].equals(whole.sort_values("key")[same])


def test_seconds_count_everything_before_the_training(grid, workers):
    slow = replace(grid, methods=("EL2N", "RS2"), seeds=(0,), proxy=RECIPE.for_epochs(60))
    store = run_grid(slow, workers, within(1.0, axis="wall"))
    rows = store.frame().set_index("method")
    whole = rows.loc["Full", "seconds_train"]
    assert rows.loc["RS2", "seconds_train"] == pytest.approx(whole, rel=0.3)
    assert "EL2N" not in rows.index
    assert "before the training" in store.left_out["EL2N 30 % budget 1 seed 0"]


@pytest.fixture
def all_cores():
    before = torch.get_num_threads()
    torch.set_num_threads(joblib.cpu_count())
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("all_cores")
def test_all_seconds_are_those_of_as_many_threads(grid, workers):
    workers = replace(workers, workers=2)
    assert workers.threads == max(1, joblib.cpu_count() // 2)
    before = torch.get_num_threads()
    with workers.as_a_worker():
        assert torch.get_num_threads() == min(before, workers.threads)
    assert torch.get_num_threads() == before
    together = replace(grid, methods=("RS2", "RandomDynamic"), seeds=(0,))
    assert len(run_grid(together, workers, within(0.2)).frame()) == 4
    more = replace(together, methods=(*together.methods, "UCB"))
    alone = run_grid(more, workers, within(0.2)).frame()
    assert len(alone) == 5, "four in two workers, and the last one by itself"
    assert len({json.loads(text)["environment"]["threads"] for text in alone["provenance"]}) == 1
    assert "do not compare" not in budget_markdown(alone)
    other = json.loads(alone["provenance"].iloc[0])
    other["environment"]["threads"] += 1
    alone.loc[alone.index[0], "provenance"] = json.dumps(other)
    assert "The seconds do not compare: some runs had" in budget_markdown(alone)


def test_rows_depend_on_the_given_features_and_methods_without_theirs_are_left_out(grid, workers, tmp_path):
    path = tmp_path / "features.npy"
    by_file = f"FactorCurriculum[features={path}, autoencoder=Autoencoder[units=16, k=2, steps=20]]"
    grid = replace(grid, methods=("RS2", by_file, "FactorCurriculum[features=minilm]"), seeds=(0,))
    store = run_grid(grid, workers, within(0.1))
    assert set(store.frame()["method"]) == {"Full", "RS2"}
    assert "there is no file" in store.left_out[by_file]
    assert "has no texts" in store.left_out["FactorCurriculum[features=minilm]"]
    keys = []
    for seed in (0, 1):
        np.save(path, np.random.default_rng(seed).random((N, 8), np.float32))
        rows = run_grid(grid, workers, within(0.1)).frame()
        keys.append(set(rows.loc[rows["method"] == by_file, "key"]))
    assert len(keys[0]) == 1
    assert len(keys[1]) == 2, "other features, another row"
    provenance = json.loads(rows.loc[rows["method"] == by_file, "provenance"].iloc[0])
    assert {"explained_variance", "dead"} <= set(provenance["prepared"]["quality"])


class Stored(SplitWorkbench):
    """Scores and factors of which the seconds alone are there."""

    def _find_scores(self, name):
        seconds = {"AUM": 10.0, "EL2N": 9.0, "DRD": 100.0, "ELBO": 50.0}
        return parse_score(name), SimpleNamespace(provenance={"seconds": seconds[name]})

    def _find_factors(self, source, autoencoder):
        spent = {"features": 11.0, "autoencoder": 3.0, "scoring": 1.0}
        provenance = {"features": {"name": source}, "seconds": spent, "inputs": {}, "settled": {}, "quality": {}}
        return SimpleNamespace(provenance=provenance)


@pytest.mark.parametrize(
    ("scores", "features", "seconds"),
    [
        (["AUM", "EL2N"], "", {"score": 10}),
        (["DRD", "ELBO"], "", {"score": 150}),
        (["AUM", "DRD"], "", {"score": 110}),
        ([], "ProxyFeatures", {"features": 11, "autoencoder": 4}),
        (["AUM"], "ProxyFeatures", {"score": 10, "features": 1, "autoencoder": 4}),
        (["AUM"], "MiniLM", {"score": 10, "features": 11, "autoencoder": 4}),
    ],
)
def test_the_seconds_of_what_is_shared_count_once(scores, features, seconds):
    """Two scores of one proxy, two of a diffusion model, and factors of the proxy's features."""
    workbench = Stored(None, Seeds.all(0))
    for name in scores:
        workbench.scores(name)
    if features:
        workbench.factors(features, Autoencoder())
    assert workbench.seconds == seconds


def test_one_proxy_gives_scores_and_features(grid, workers, monkeypatch):
    recorders = []

    def counted(*args, **more):
        recorders.append(more["recorder"])
        return train(*args, **more)

    monkeypatch.setattr(scoring_proxy, "train", counted)
    by_score = "FactorCurriculum[representativeness=AUM, rarity=EL2N]"
    run_grid(replace(grid, methods=(*METHODS, by_score), seeds=(0,)), workers, within(0.1))
    assert len(recorders) == 1


def test_dynamic_methods_are_left_out_where_their_scores_cannot_be(workers):
    recipe = Recipe(net="textcnn", steps=2)
    methods = ("RS2", "FactorCurriculum[representativeness=DRD, rarity=DRD]")
    texts = Grid("texts", methods, (0.5,), (0,), {"name": "tiny_texts"}, recipe, recipe.for_epochs(1))
    DATASETS._entries["tiny_texts"] = lambda root, size: Dataset(*2 * (from_texts("tiny", ["a b", "b c"], [0, 1]),))
    try:
        store = run_grid(texts, workers, within(1.0))
    finally:
        del DATASETS._entries["tiny_texts"]
    assert set(store.frame()["method"]) == {"Full", "RS2"}
    assert list(store.left_out) == [methods[1]]


def test_budgets_in_closed_form():
    recipe = Recipe(steps=100, batch_size=50)
    assert Budget("steps", 0.5).goal(recipe, 1000).amount == 50
    assert Budget("samples", 0.5).goal(recipe, 1000).amount == 2500
    assert Budget("samples", 1.0).goal(recipe.for_epochs(3), 990).amount == pytest.approx(3 * 990)
    assert Budget("wall", 0.5).goal(recipe, 1000, 40.0, 5.0).amount == 15
    with pytest.raises(ValueError, match="takes 25 s before the training, of 20 s in all"):
        Budget("wall", 0.5).goal(recipe, 1000, 40.0, 25.0)


def test_speed_ups_by_hand():
    curve = json.dumps([[2.0, 50, 80.0], [4.0, 100, 91.0], [6.0, 150, 90.0]])
    run = pd.Series(row(method="RS2", seconds_score=1.0, seconds_features=3.0, curve=curve))
    assert seconds_to(run, 80.0) == 6
    assert seconds_to(run, 90.5) == 8
    assert seconds_to(run, 92.0) == np.inf
    slow = json.dumps([[4.0, 50, 80.0], [16.0, 100, 91.0], [20.0, 150, 90.0]])
    full = pd.DataFrame([row(method="Full", acc_last=90.0, near=80.0, curve=slow)]).set_index(["net", "seed"])
    assert speed_up(pd.DataFrame([run]), full, "acc_last") == pytest.approx([16 / 8]), "to the first test with 90 %"
    assert speed_up(pd.DataFrame([run]), full, "near") == pytest.approx([4 / 6])
    never = run.to_dict() | {"curve": json.dumps([[2.0, 50, 70.0]])}
    assert speed_up(pd.DataFrame([never]), full, "acc_last").tolist() == [0]
    assert lower_end(np.array([90.0])) == 90
    assert lower_end(np.array([89.0, 90.0, 91.0])) == pytest.approx(90 - 4.302652729911275 / 3**0.5)


def test_the_summary_by_hand():
    rows = pd.DataFrame(
        [
            row(method=method, fraction=fraction, seed=seed, acc_last=base + seed)
            for method, fraction, base in (("Full", 1.0, 90.0), ("RS2", 0.3, 89.0), ("Random", 0.3, 80.0))
            for seed in (0, 1)
        ]
    )
    long = budget_summary(rows).set_index("method")
    own = [row(method="InfoBatch", fraction=0.0, seed=seed, acc_last=88.0 + seed) for seed in (0, 1)]
    own += [row(method="Full", fraction=1.0, budget=0.5, seed=seed, acc_last=87.0 + seed) for seed in (0, 1)]
    own += [row(method="Random", fraction=0.3, budget=0.5, seed=seed, acc_last=85.0 + seed) for seed in (0, 1)]
    more = budget_summary(pd.concat([rows, pd.DataFrame(own)])).set_index(["method", "budget"])
    assert more.loc[("InfoBatch", 1.0), "rs2"] == -1
    assert more.loc[("Random", 0.5), "same"] == -2
    assert more.loc[("Random", 0.5), "difference"] == -5
    assert more.loc[("Random", 1.0), "same"] == -10
    assert long.loc["Random", "difference"] == -10
    assert long.loc["Random", "rs2"] == -9
    assert np.isnan(long.loc["RS2", "rs2"])
    assert np.isnan(long.loc["Full", "difference"])
    assert long.loc["Random", "mean"] == 80.5
    assert long.loc["Random", "reached"] == 0


def test_usage_entropy_by_hand():
    assert usage_entropy(np.array([3, 3, 3])) == pytest.approx(1)
    assert usage_entropy(np.array([5, 0, 0])) == 0
    assert usage_entropy(np.array([1, 1, 0, 0])) == pytest.approx(0.5)


@pytest.mark.parametrize("name", sorted(name for name, study in STUDIES.items() if not study.takes_dynamic))
def test_dynamic_methods_have_no_place_in_a_study_of_rankings(grid, workers, name):
    assert name in ("cross_evaluation", "noise", "separation", "stability", "windows")
    with pytest.raises(GridError, match=r"RS2, InfoBatch, Factor.* compare them in a study `comparison` or `mixed`"):
        Experiment("small", "", Size(""), grid, STUDIES[name]())
    with pytest.raises(GridError, match=r"RS2, InfoBatch, Factor.* have no place in this study"):
        STUDIES[name]().run(grid, workers)
    assert not (workers.out / "grid.json").exists()


def test_settings_of_a_study_can_be_given(grid, workers):
    study = with_settings(EqualBudgets(), read_settings(["axis=steps", "budgets=[0.25]"]), "--study")
    assert study == EqualBudgets(axis="steps", budgets=(0.25,))
    with pytest.raises(UnknownName, match="unknown setting of the study in --study 'budget': did you mean 'budgets'"):
        with_settings(EqualBudgets(), {"budget": 1}, "--study")
    small = replace(grid, methods=("RS2",), seeds=(0,))
    study.run(small, workers)
    rows = study.read(workers.out).rows
    assert rows.loc[rows["method"] == "RS2", "steps"].tolist() == [10]
    with pytest.raises(ArtifactError, match="axis steps, not samples"):
        EqualBudgets().run(small, workers)


def test_wrong_settings_are_refused(grid):
    with pytest.raises(ValueError, match="above 0"):
        EqualBudgets(budgets=(0.5, 0.0))
    with pytest.raises(UnknownName, match="did you mean 'samples'"):
        EqualBudgets(axis="sample")
    with pytest.raises(UnknownName, match="units"):
        replace(grid, methods=("FactorCurriculum[autoencoder=Autoencoder[unit=32]]",))
