"""Static and dynamic selection under one budget: what is counted, closed cases, and the study run small."""

import json
from dataclasses import fields, replace
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bench import mixed
from drd_plugin.bench import session as bench
from drd_plugin.bench.budget_run import CELL, run_mixed
from drd_plugin.bench.grid import Grid, GridError
from drd_plugin.bench.mixed import Budget, Run, budget_markdown, budget_summary, speed_up
from drd_plugin.bench.report import report
from drd_plugin.bench.run import run_grid
from drd_plugin.bench.store import RunStore
from drd_plugin.bench.studies import Mixed, with_settings
from drd_plugin.bench.tables.budgets import lower_end, seconds_to
from drd_plugin.bench.watch import WatchedSampler, usage_entropy
from drd_plugin.bench.workers import Lab
from drd_plugin.core.names import read_settings
from drd_plugin.core.registry import UnknownName
from drd_plugin.core.seeds import Seeds
from drd_plugin.data import DATASETS, Dataset, from_texts
from drd_plugin.dynamic import InfoBatch
from drd_plugin.dynamic.workshop import CachedSource
from drd_plugin.training import loop
from drd_plugin.training.checkpoint import Checkpoint
from drd_plugin.training.loop import train
from drd_plugin.training.recipe import Recipe

METHODS = ("Random", "EL2N", "RS2", "InfoBatch", "FactorCurriculum[autoencoder=Autoencoder[units=32, k=4, steps=50]]")


@pytest.fixture
def grid():
    recipe = Recipe(net="lenet", steps=40, lr=0.05, evaluations=4)
    data = {"name": "digits", "examples": 400}
    return Grid("small", METHODS, (0.3,), (0, 1), data, recipe, recipe.for_epochs(3))


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path / "out", device="cpu", workers=1, progress=False)


def row(**given):
    """A row with what is given and dull values else."""
    dull = {"float": 0.0, "int": 0, "str": ""}
    made = {f.name: dull[f.type] for f in fields(Run)} | {"net": "lenet", "axis": "samples", "curve": "[]"}
    made |= {"budget": 1.0, "fraction": 0.3, "epochs": 1.0, "examples_seen": 100, "seconds_train": 10.0} | given
    return made | {"key": f"{made['method']} {made['fraction']} {made['seed']}"}


def test_every_method_sees_as_many_examples_as_the_full_training(grid, lab):
    budgets = (0.5, 1.0)
    study = Mixed(budgets=budgets)
    study.run(grid, lab)
    found = study.read(lab.out)
    rows = found.rows
    whole = rows[(rows["method"] == "Full") & (rows["budget"] == 1)]
    assert (whole["examples_seen"] - 40 * 400 / 7).abs().max() <= 64
    for budget in budgets:
        seen = rows.loc[rows["budget"] == budget, "examples_seen"]
        assert (seen - budget * whole["examples_seen"].iloc[0]).abs().max() <= 64
    assert len(rows) == 2 * 2 * (1 + len(METHODS))
    assert set(rows.loc[rows["method"] == "InfoBatch", "fraction"]) == {0.0}
    assert (rows.loc[rows["method"] == "RS2", "usage_range"] <= 1).all()
    assert (rows.loc[rows["method"] == "Random", "usage_range"] > 5).all()

    curriculum = rows[rows["method"].str.startswith("Factor")]
    assert (curriculum["seconds_features"] > 0).all()
    assert (curriculum["seconds_autoencoder"] > 0).all()
    assert (rows.loc[rows["method"] == "EL2N", "seconds_score"] > 0).all()
    assert (rows["seconds_sampler"] < rows["seconds_train"]).all()
    diary = json.loads(curriculum["trajectory"].iloc[0])
    assert [epoch["level"] for epoch in diary] == sorted(epoch["level"] for epoch in diary)
    for text in rows["curve"]:
        assert len(json.loads(text)) == 4

    assert "from Full" in found.text
    assert found.text.count("| its own") == 2
    for plot in found.plots.values():
        ax = plot(None)
        assert ax is plot(ax)

    page = report(lab.out)
    assert page.count("<img") == len(found.plots)
    assert "Accuracy and cost" not in page, "the tables have it, with all stages"


def test_an_epoch_without_examples_is_refused_before_anything_is_trained(grid, lab, monkeypatch):
    for where in (bench, mixed.run):
        monkeypatch.setattr(where, "train", lambda *_, **__: pytest.fail("a training began"))
    with pytest.raises(ValueError, match="has none: give a larger fraction"):
        run_mixed(lab, replace(grid, methods=("RS2",), fractions=(0.3, 0.001)), [Budget("samples", 0.2)])


def test_what_only_a_first_training_costs_is_in_no_row(grid, lab, monkeypatch):
    steps = []

    def noted(split, recipe, **more):
        steps.append(recipe.steps)
        return train(split, recipe, **more)

    monkeypatch.setattr(bench, "train", noted)
    monkeypatch.setattr(mixed.run, "train", noted)
    run_mixed(lab, replace(grid, methods=("Random", "RS2"), seeds=(0,)), [Budget("samples", 0.2)])
    assert steps == [2, *[grid.recipe.steps] * 4]


def test_a_picture_of_a_curriculum_needs_one_and_a_table_of_no_noise_does_not_speak_of_it(grid, lab):
    study = Mixed(budgets=(0.2,))
    study.run(replace(grid, methods=("Random", "RS2"), pin={"noise": 0}), lab)
    found = study.read(lab.out)
    assert "trajectory" not in found.plots
    assert "One seed of" not in found.text


def test_plans_reach_the_trainings(grid, lab):
    study = Mixed(budgets=(1.0,), slope=0.5, full_last=0.25)
    study.run(replace(grid, methods=("RS2", "InfoBatch", "Random"), seeds=(0,)), lab)
    rows = study.read(lab.out).rows.set_index("method")
    sizes = [epoch["examples"] for epoch in json.loads(rows.loc["RS2", "trajectory"])]
    assert sizes[0] == 60
    assert sizes[-1] == 400
    assert {epoch["examples"] for epoch in json.loads(rows.loc["Random", "trajectory"])} == {120}


def test_a_stopped_comparison_goes_on(grid, lab, monkeypatch):
    grid = replace(grid, methods=("Random", "RS2"), seeds=(0,))
    budgets = [Budget("samples", 1.0)]
    calls = []

    def twice(*args, **more):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*args, **more)

    monkeypatch.setattr(mixed.run, "train", twice)
    with pytest.raises(KeyboardInterrupt):
        run_mixed(lab, grid, budgets)
    done = RunStore(lab.out, row=Run, cell=CELL).frame()
    assert len(done) == 2
    rows = run_mixed(lab, grid, budgets).frame()
    assert len(rows) == 3
    assert len(calls) == 3 + 1
    whole = run_mixed(replace(lab, out=lab.out.parent / "whole"), grid, budgets).frame()
    both = rows.merge(whole, on="key")
    assert len(both) == 3
    assert (both["acc_last_x"] == both["acc_last_y"]).all()


def test_a_training_that_is_killed_goes_on(grid, lab, monkeypatch):
    grid = replace(grid, methods=("InfoBatch",), seeds=(0,), recipe=replace(grid.recipe, steps=60))
    whole = run_mixed(replace(lab, out=lab.out.parent / "whole"), grid, [Budget("samples", 1.0)]).frame()
    monkeypatch.setattr(mixed.run, "Checkpoint", partial(Checkpoint, every=0))
    choose, killed = InfoBatch.choose, []

    def choose_or_die(self, state, examples, now):
        if now.epoch == 5 and not killed:
            killed.append(now.epoch)
            raise KeyboardInterrupt
        return choose(self, state, examples, now)

    monkeypatch.setattr(InfoBatch, "choose", choose_or_die)
    with pytest.raises(KeyboardInterrupt):
        run_mixed(lab, grid, [Budget("samples", 1.0)])
    assert len(list((lab.out / "checkpoints").iterdir())) == 1
    first = []
    take_up = WatchedSampler.load_state_dict

    def noted(self, state):
        first.append(state["epoch"])
        take_up(self, state)

    monkeypatch.setattr(WatchedSampler, "load_state_dict", noted)
    rows = run_mixed(lab, grid, [Budget("samples", 1.0)]).frame()
    assert first == [4]
    assert not (lab.out / "checkpoints").exists()
    same = ["method", "acc_last", "steps", "examples_seen", "usage_entropy", "usage_range", "trajectory"]
    assert rows.sort_values("key")[same].equals(whole.sort_values("key")[same])


def test_seconds_count_everything_before_the_training(grid, lab):
    slow = replace(grid, methods=("EL2N", "RS2"), seeds=(0,), proxy=grid.proxy.for_epochs(60))
    store = run_mixed(lab, slow, [Budget("wall", 1.0)])
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
def test_all_seconds_are_those_of_as_many_threads(grid, lab):
    lab = replace(lab, workers=2)
    assert lab.threads == max(1, joblib.cpu_count() // 2)
    before = torch.get_num_threads()
    with lab.as_a_worker():
        assert torch.get_num_threads() == min(before, lab.threads)
    assert torch.get_num_threads() == before
    together = replace(grid, methods=("RS2", "RandomDynamic"), seeds=(0,))
    assert len(run_mixed(lab, together, [Budget("samples", 0.2)]).frame()) == 4
    more = replace(together, methods=(*together.methods, "UCB"))
    alone = run_mixed(lab, more, [Budget("samples", 0.2)]).frame()
    assert len(alone) == 5, "four in two workers, and the last one by itself"
    assert len({json.loads(text)["environment"]["threads"] for text in alone["provenance"]}) == 1
    assert "do not compare" not in budget_markdown(alone)
    other = json.loads(alone["provenance"].iloc[0])
    other["environment"]["threads"] += 1
    alone.loc[alone.index[0], "provenance"] = json.dumps(other)
    assert "The seconds do not compare: some runs had" in budget_markdown(alone)


def test_rows_depend_on_the_features_that_were_given_and_methods_without_theirs_are_left_out(grid, lab, tmp_path):
    path = tmp_path / "features.npy"
    by_file = f"FactorCurriculum[features={path}, autoencoder=Autoencoder[units=16, k=2, steps=20]]"
    grid = replace(grid, methods=("RS2", by_file, "FactorCurriculum[features=minilm]"), seeds=(0,))
    store = run_mixed(lab, grid, [Budget("samples", 0.1)])
    assert set(store.frame()["method"]) == {"Full", "RS2"}
    assert "there is no file" in store.left_out[by_file]
    assert "has no texts" in store.left_out["FactorCurriculum[features=minilm]"]
    keys = []
    for seed in (0, 1):
        np.save(path, np.random.default_rng(seed).random((400, 8), np.float32))
        rows = run_mixed(lab, grid, [Budget("samples", 0.1)]).frame()
        keys.append(set(rows.loc[rows["method"] == by_file, "key"]))
    assert len(keys[0]) == 1
    assert len(keys[1]) == 2, "other features, another row"
    made = json.loads(rows.loc[rows["method"] == by_file, "provenance"].iloc[0])
    assert {"explained_variance", "dead"} <= set(made["prepared"]["quality"])


def test_the_seconds_of_what_is_shared_count_once(tmp_path):
    """Two scores of one proxy, two of a diffusion model, and factors of the proxy's features."""
    cache = CachedSource(None, Seeds.all(0))
    took = {"AUM": 10.0, "EL2N": 9.0, "DRD": 100.0, "ELBO": 50.0}
    cache.__dict__["scores"] = lambda name: SimpleNamespace(provenance={"seconds": took[name]})
    proxy = {"features": {"name": "ProxyFeatures"}, "seconds": {"features": 11.0, "autoencoder": 3.0, "scoring": 1.0}}
    other = proxy | {"features": {"name": "MiniLM"}}
    assert cache.seconds(["AUM", "EL2N"], None) == {"score": 10}
    assert cache.seconds(["DRD", "ELBO"], None) == {"score": 150}
    assert cache.seconds(["AUM", "DRD"], None) == {"score": 110}
    assert cache.seconds([], SimpleNamespace(provenance=proxy)) == {"features": 11, "autoencoder": 4}
    assert cache.seconds(["AUM"], SimpleNamespace(provenance=proxy)) == {"score": 10, "features": 1, "autoencoder": 4}
    assert cache.seconds(["AUM"], SimpleNamespace(provenance=other)) == {"score": 10, "features": 11, "autoencoder": 4}


def test_one_proxy_gives_scores_and_features(grid, lab, monkeypatch):
    proxies = []

    def counted(*args, **more):
        proxies.append(more["recorder"])
        return train(*args, **more)

    monkeypatch.setattr(loop, "train", counted)
    by_score = "FactorCurriculum[representativeness=AUM, rarity=EL2N]"
    run_mixed(lab, replace(grid, methods=(*METHODS, by_score), seeds=(0,)), [Budget("samples", 0.1)])
    assert len(proxies) == 1


def test_dynamic_methods_are_left_out_where_their_scores_cannot_be(lab):
    recipe = Recipe(net="textcnn", steps=2)
    methods = ("RS2", "FactorCurriculum[representativeness=DRD, rarity=DRD]")
    texts = Grid("texts", methods, (0.5,), (0,), {"name": "tiny_texts"}, recipe, recipe.for_epochs(1))
    DATASETS._entries["tiny_texts"] = lambda root, size: Dataset(*2 * (from_texts("tiny", ["a b", "b c"], [0, 1]),))
    try:
        store = run_mixed(lab, texts, [Budget("samples", 1.0)])
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


def test_dynamic_methods_have_no_place_in_a_static_study(grid, lab):
    with pytest.raises(GridError, match=r"RS2, InfoBatch, Factor.* compare them in a study `mixed`"):
        run_grid(grid, lab.out, "cpu", False)


def test_settings_of_a_study_can_be_given(grid, lab):
    study = with_settings(Mixed(), read_settings(["axis=steps", "budgets=[0.25]"]), "--study")
    assert study == Mixed(axis="steps", budgets=(0.25,))
    with pytest.raises(UnknownName, match="unknown setting of the study in --study 'budget': did you mean 'budgets'"):
        with_settings(Mixed(), {"budget": 1}, "--study")
    small = replace(grid, methods=("RS2",), seeds=(0,))
    study.run(small, lab)
    rows = study.read(lab.out).rows
    assert rows.loc[rows["method"] == "RS2", "steps"].tolist() == [10]
    with pytest.raises(ArtifactError, match="axis steps, not samples"):
        Mixed().run(small, lab)


def test_wrong_settings_are_refused(grid):
    with pytest.raises(ValueError, match="above 0"):
        Mixed(budgets=(0.5, 0.0))
    with pytest.raises(UnknownName, match="did you mean 'samples'"):
        Mixed(axis="sample")
    with pytest.raises(UnknownName, match="units"):
        replace(grid, methods=("FactorCurriculum[autoencoder=Autoencoder[unit=32]]",))
