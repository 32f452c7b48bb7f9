"""The studies that are more than a table of accuracies: closed cases, and each run small on the digits."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.bench import Grid, RunStore, Session, Workers
from drd_plugin.bench.studies.cross_evaluation import CrossEvaluation, CrossRun, cross_table, parts_of
from drd_plugin.bench.studies.noise import Detection, Noise, _about, detection_auroc
from drd_plugin.bench.studies.separation import Separated, Separation, _separation
from drd_plugin.bench.studies.stability import Stability, Stable, _agreement
from drd_plugin.bench.studies.windows import Windows, window_runs
from drd_plugin.bench.tables.words import gap
from drd_plugin.core.job import Job
from drd_plugin.core.provenance import describe
from drd_plugin.core.seeds import Seeds
from drd_plugin.data import take
from drd_plugin.scores import ELBO
from drd_plugin.scoring import ScoreCache, score
from drd_plugin.training import PROXY, Recipe


@pytest.fixture(scope="module")
def grid():
    recipe = Recipe(net="lenet", steps=30, lr=0.05)
    return Grid("small", ("Random", "AUM"), (0.3,), (0, 1), {"name": "digits"}, recipe, recipe.for_epochs(3))


@pytest.fixture(scope="module")
def shared_scores(tmp_path_factory):
    """The folder of the scores that several studies read."""
    return tmp_path_factory.mktemp("scores")


def draw(results):
    """Draws all pictures."""
    from matplotlib import pyplot as plt

    for plot in results.plots.values():
        ax = plot(None)
        assert ax is plot(ax)
        plt.close("all")
    return results


def test_parts_are_cut_from_the_easiest_on(make_scores):
    labels = np.repeat([0, 1], 5)
    scores = make_scores([9, 7, 5, 3, 1, 8, 6, 4, 2, 0], labels, higher_is_harder=True)
    assert [part.tolist() for part in parts_of(scores, 2, "global")] == [[3, 4, 7, 8, 9], [0, 1, 2, 5, 6]]
    assert [part.tolist() for part in parts_of(scores, 2, "class")] == [[2, 3, 4, 7, 8, 9], [0, 1, 5, 6]]
    easy = make_scores(scores.values, labels, higher_is_harder=False)
    assert [part.tolist() for part in parts_of(easy, 2, "global")] == [[0, 1, 2, 5, 6], [3, 4, 7, 8, 9]]
    whole = np.sort(np.concatenate(parts_of(scores, 3, "class")))
    assert whole.tolist() == list(range(10))


def test_the_cross_table_by_hand():
    rows = pd.DataFrame(
        [
            {"parts": 2, "trained_on": i, "tested_on": j, "seed": seed, "accuracy": 10 * i + j + 2 * seed}
            for i in range(2) for j in range(3) for seed in range(2)
        ]
    )  # fmt: skip
    table = cross_table(rows)
    assert list(table.columns) == ["0-50 %", "50-100 %", "average", "test set"]
    assert table.loc["50-100 %"].tolist() == ["11.0 ± 1.4", "12.0 ± 1.4", "11.5 ± 1.4", "13.0 ± 1.4"]


def test_the_cross_evaluation_trains_on_each_part_and_goes_on(grid, workers, shared_scores):
    study, grid = CrossEvaluation(parts=2), replace(grid, methods=("AUM",), seeds=(0,))
    workers = replace(workers, scores=shared_scores)
    study.run(grid, workers)
    store = RunStore(workers.out, row=CrossRun)
    rows, stored = store.frame(), store.runs / "all.parquet"
    assert len(rows) == 2 * 2 * 3
    own = rows[rows["trained_on"] == rows["tested_on"]]["accuracy"].mean()
    assert own > rows[rows["tested_on"] < 2]["accuracy"].mean()
    assert (rows.drop_duplicates(["ranking", "trained_on"]).groupby("ranking")["k"].sum() == 1437).all()
    results = draw(study.read(workers.out))
    assert "AUM, lenet, parts of the whole ranking; accuracy in %, one seed." in results.text
    assert "from the easiest on" in results.text
    assert set(results.plots) == {"cross-AUM-global", "cross-AUM-class"}
    for plot in results.plots.values():
        assert plot(None).get_xlabel() == "tested on: part of the ranking, from the easiest on"
    stamp = stored.stat().st_mtime_ns
    study.run(grid, workers)
    assert store.frame().equals(rows)
    part = rows[(rows["ranking"] == "class") & (rows["trained_on"] == 0)]
    rows.drop(part.index).to_parquet(stored)
    study.run(grid, workers)
    assert sorted(store.frame()["key"]) == sorted(rows["key"])
    assert stored.stat().st_mtime_ns > stamp
    with pytest.raises(ArtifactError, match="another grid"):
        study.run(replace(grid, recipe=replace(grid.recipe, steps=5)), workers)


def test_detection_by_hand():
    planted = np.array([False, False, True, True])
    assert detection_auroc(np.array([1.0, 2, 3, 4]), planted) == 1
    assert detection_auroc(np.array([4.0, 3, 2, 1]), planted) == 0
    assert detection_auroc(np.array([1.0, 1, 1, 1]), planted) == 0.5
    assert detection_auroc(np.array([1.0, 3, 2, 4]), planted) == 0.75


def test_planted_labels_are_detected_and_cost_accuracy(grid, workers):
    study, by_window = Noise(shares=(0.2,), kinds=("wrong_labels",)), "AUM+BWS[step=0.35]"
    grid = replace(grid, methods=("Random", "AUM", "CCS", by_window))
    study.run(grid, workers)
    rows = RunStore(workers.out, row=Detection).frame()
    auroc = rows.groupby("method")["auroc"].mean()
    assert set(auroc.index) == {"Random", "AUM"}  # CCS and BWS have AUM's score
    assert auroc["AUM"] > 0.7
    assert 0.4 < auroc["Random"] < 0.6
    runs = RunStore(workers.out / "wrong_labels-20").frame()
    assert set(runs["method"]) == {"Full", "Random", "AUM", "CCS", by_window}
    assert runs["fingerprint"].nunique() == 1
    assert not runs["fingerprint"].str.contains("a2bec4f78cc38cdc").any()  # that of the untouched digits
    results = draw(study.read(workers.out))
    assert "Wrong labels: area under the ROC curve by the share that was planted" in results.text
    assert "\n\nWrong labels: test accuracy in % with 30 % kept" in results.text
    cells = results.frames["table"].set_index("method")
    windows = runs[runs["method"] == by_window]["chosen"].map(lambda text: json.loads(text)["start"])
    assert "Wrong labels, 30 % kept, by the share that was planted. Mean start of the windows" in results.text
    assert re.search(rf"\| {re.escape(by_window)} +\| {100 * windows.mean():.0f} % from hardest +\|", results.text)
    difference = gap(*cells.loc["AUM", ["difference", "low", "high"]])
    assert cells.loc["AUM", "difference"] == pytest.approx(
        runs[runs["method"] == "AUM"]["acc_last"].mean() - runs[runs["method"] == "Random"]["acc_last"].mean()
    )
    assert "Difference from Random in points, paired by seed, with the 95 % interval" in results.text
    assert re.search(rf"\| AUM +\| {re.escape(difference)} +\|", results.text)
    assert set(results.frames["detection"].columns) == {"method", "kind", "share", "mean", "std", "count"}
    study.run(grid, workers)
    assert RunStore(workers.out, row=Detection).frame().equals(rows)


def test_corrupted_images_are_detected_and_the_table_says_what_a_denoiser_knows(grid, workers):
    """With two networks, which have tables of their own."""
    study, nets = Noise(shares=(0.2,), kinds=("corrupted",)), ("lenet", "convnet_small")
    recipe = replace(grid.recipe, steps=10)
    study.run(replace(grid, methods=("Random", "AUM", "EL2N"), seeds=(0,), nets=nets, recipe=recipe), workers)
    rows = RunStore(workers.out, row=Detection).frame()
    assert (rows.loc[rows["method"] != "Random", "auroc"] > 0.5).all()
    assert len(rows) == 3, "scores do not depend on the networks"
    store = RunStore(workers.out / "corrupted-20")
    store.leave_out({"DRD": "no denoiser is bundled"})
    results = draw(study.read(workers.out))
    text, runs = results.text, store.frame()
    assert text.startswith("1,437 training examples; one seed of the trainings.")
    assert "Left out: DRD (no denoiser is bundled)." in text
    assert "denoiser of" not in text
    cells = results.frames["table"].set_index(["net", "method"])
    for net in nets:
        accuracies = runs[runs["net"] == net].set_index("method")["acc_last"]
        table = text.split(f"\n\n{net}: Corrupted images: test accuracy in % with 30 % kept")[1].split("\n\n")[1]
        for method in ("Full", "Random", "AUM", "EL2N"):
            assert re.search(rf"\| {method} +\| {accuracies[method]:.1f} +\|", table)
        differences = text.split(f"\n\n{net}: Corrupted images, 30 % kept")[1].split("\n\n")[1]
        assert f"| AUM      | {accuracies['AUM'] - accuracies['Random']:+.1f}" in differences
        assert cells.loc[(net, "AUM"), "difference"] == pytest.approx(accuracies["AUM"] - accuracies["Random"])
    spec = {"method": [{"name": "DRD", "denoiser": "auto"}, {"name": "Hardest"}]}
    informed = rows.assign(method="DRD", provenance=json.dumps(spec))
    assert "The denoiser of DRD was trained on the data before anything" in _about(informed, runs)


def test_separate_strata_and_strata_that_mean_nothing():
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1, 2], 100)
    values = rng.normal(size=(300, 2)) + 20 * strata[:, None]
    silhouette, ami = _separation(values, strata, 3, 0)
    assert silhouette > 0.8
    assert ami == pytest.approx(1)
    silhouette, ami = _separation(values, rng.permutation(strata), 3, 0)
    assert silhouette < 0.05
    assert abs(ami) < 0.05


def test_separation_measures_every_score_in_the_same_features(grid, workers, shared_scores):
    study, workers = Separation(most=60, shown=40), replace(workers, scores=shared_scores)
    study.run(grid, workers)
    rows = RunStore(workers.out, row=Separated).frame()
    assert sorted(zip(rows["method"], rows["seed"], strict=True)) == [
        ("AUM", 0), ("AUM", 1), ("Random", 0), ("Random", 1),
    ]  # fmt: skip
    assert rows["ami"].between(-1, 1).all()
    assert rows["silhouette"].between(-1, 1).all()
    places = pd.read_parquet(workers.out / "map.parquet")
    assert list(places.columns) == ["index", "x", "y", "Random", "AUM"]
    assert len(places) == 40
    results = draw(study.read(workers.out))
    assert set(results.plots) == {"strata-Random", "strata-AUM"}
    study.run(grid, workers)
    assert RunStore(workers.out, row=Separated).frame().equals(rows)
    study.run(replace(grid, methods=("EL2N",)), workers)
    grown = draw(study.read(workers.out))
    assert set(grown.plots) == {"strata-Random", "strata-AUM", "strata-EL2N"}
    more = RunStore(workers.out, row=Separated).frame()
    assert more[more["method"] != "EL2N"].reset_index(drop=True).equals(rows)
    assert pd.read_parquet(workers.out / "map.parquet")[[*places.columns]].equals(places)


def test_a_score_agrees_with_itself(make_scores):
    labels, rng = np.repeat([0, 1], 50), np.random.default_rng(0)
    values = rng.random(100)
    scores = make_scores(values, labels)
    assert _agreement(scores, scores) == pytest.approx((1, 1))
    assert _agreement(scores, make_scores(-values, labels)) == pytest.approx((-1, 0))
    assert _agreement(scores, make_scores(-values, labels, higher_is_harder=False)) == pytest.approx((1, 1))
    swapped = make_scores(values + 100 * labels, labels)  # another order between classes, the same within
    assert _agreement(scores, swapped) == pytest.approx((1, 1))


def test_stability_compares_seeds_proxies_and_draws(grid, workers):
    """Of the grid's own seeds alone."""
    study, dataset = Stability(proxies=("convnet_small",), noise_seeds=2), {"name": "digits", "examples": 200}
    few = replace(grid, methods=("AUM[proxies=2]",), seeds=(5, 6), dataset=dataset)
    study.run(few, workers)
    rows = RunStore(workers.out, row=Stable).frame()
    assert rows.groupby("chance").size().to_dict() == {"draws": 2, "proxies": 2, "seeds": 1}
    assert set(rows[rows["chance"] == "proxies"]["other"]) == {"convnet_small, seed 5", "convnet_small, seed 6"}
    assert set(rows[rows["chance"] == "draws"]["other"]) == {"2 proxies"}
    assert rows["correlation"].between(-1, 1).all()
    assert rows[rows["chance"] != "draws"]["hardest"].between(0, 1).all()
    folders = [path for path in (workers.out / "scores").iterdir() if path.is_dir()]
    assert sorted(re.search(r"-seed(\d+)-", path.name)[1] for path in folders) == ["5", "5", "6", "6"]
    assert {Scores.load(path).provenance["seed"] for path in folders} == {5, 6}
    reliabilities = rows[rows["chance"] == "draws"].set_index("one")["correlation"]
    for row in rows.itertuples():
        provenance, seed = json.loads(row.provenance), int(row.one.removeprefix("lenet, seed "))
        assert provenance["seeds"] == describe(Seeds.all(seed))
        assert provenance["reliability"][0] == pytest.approx(reliabilities[row.one])
    results = draw(study.read(workers.out))
    assert "| seeds" in results.text
    assert "nan" not in results.text


@pytest.mark.parametrize(
    "study", [CrossEvaluation(), Separation(), Stability()], ids=lambda study: type(study).__name__
)
def test_methods_without_a_score_are_refused_before_anything_is_computed(grid, workers, study, monkeypatch):
    method = type("Foreign", (), {"ordering": None, "scores": [], "name": "deepcore:Craig", "needs_features": False})()
    monkeypatch.setattr(Grid, "static", [method])
    monkeypatch.setattr(Grid, "method", lambda self, name: method)
    monkeypatch.setattr(Session, "compute_scores", lambda *_: pytest.fail("scores were computed"))
    with pytest.raises(ValueError, match="deepcore:Craig selects without a score, and this study looks at scores"):
        study.run(grid, workers)


def test_stability_lets_all_workers_draw(grid, workers, monkeypatch):
    by_noise = "DRD[draws=2, timestep=40, solver=dpmsolver++, solver_steps=1, distance=mse]"
    needed = []
    monkeypatch.setattr(Session, "compute_scores", lambda self, pairs: needed.extend(pairs))
    few = replace(grid, methods=("AUM", by_noise), dataset={"name": "digits", "examples": 50})
    Stability(noise_seeds=2).run(few, workers)
    assert sorted((method.name, seeds.noise) for method, seeds in needed) == [
        ("AUM", 0), ("AUM", 1), (by_noise, 0), (by_noise, 1),
    ]  # fmt: skip


def window(start, ranking):
    return f"AUM+Window[ranking={ranking},start={start}]"


@pytest.fixture(scope="module")
def windows(grid, shared_scores, tmp_path_factory):
    """The folder of a study of windows of both kinds of rankings, with two networks."""
    folder = tmp_path_factory.mktemp("windows")
    methods = ("Random", *(window(start, ranking) for start in (0.0, 0.7) for ranking in ("class", "global")))
    nets, recipe = ("lenet", "convnet_small"), replace(grid.recipe, steps=10)
    workers = Workers(folder, shared_scores, device="cpu", workers=1, progress=False)
    Windows().run(replace(grid, methods=methods, seeds=(0,), nets=nets, recipe=recipe), workers)
    return folder


def test_windows_are_laid_out_by_their_start_apart_by_network_and_ranking(windows):
    runs = window_runs(RunStore(windows).latest())
    assert runs.groupby(["net", "ranking"])["start"].agg(sorted).map(tuple).to_dict() == {
        (net, ranking): (0.0, 0.7) for net in ("lenet", "convnet_small") for ranking in ("class", "global")
    }
    assert set(runs["score"]) == {"AUM"}
    results = draw(Windows().read(windows))
    title = "Test accuracy in % by where the window starts on the ranking, as a share of"
    for (net, ranking), cells in runs.groupby(["net", "ranking"]):
        share = {"class": "each class", "global": "the whole ranking"}[ranking]
        assert results.tables.count(f"{net}: {title} {share} from the easiest end:") == 1
        _, table, best, *_ = results.tables.split(f"{net}: {title} {share} from the easiest end:")[1].split("\n\n")
        accuracies = cells.set_index("start")["acc_last"]
        for start in (0.0, 0.7):
            assert re.search(rf"\| AUM +\| {100 * start:.0f} % +\| {accuracies[start]:.1f} +\|", table)
        assert best.startswith(f"The best start of the means: AUM, 30 %: {100 * accuracies.idxmax():.0f} %.")
        ax = results.plots[f"windows-{net}-{ranking}"](None)
        assert ax.get_xlabel() == f"start of the window (% of {share}, from the easiest end)"
        [bars] = ax.containers
        assert sorted(bars[0].get_ydata()) == sorted(accuracies)
    assert len(results.plots) == 4


def test_windows_of_one_network_and_ranking_need_no_names(windows):
    store = RunStore(windows)
    rows = store.frame()
    alone = rows[(rows["net"] == "lenet") & ~rows["method"].str.contains("global")]
    try:
        alone.to_parquet(store.runs / "all.parquet")
        results = Windows().read(windows)
    finally:
        rows.to_parquet(store.runs / "all.parquet")
    assert set(results.plots) == {"windows"}
    assert results.tables.startswith("Test accuracy in % by where the window starts")
    assert "| AUM     | 70 %    |" in results.tables
    assert "The best start of the means: AUM, 30 %: " in results.tables


def test_fewer_draws_are_the_first_of_more(digits, tmp_path):
    part = take(digits.train, 30)
    few, many = ELBO(draws=2), ELBO(draws=5)
    job = Job(device="cpu", progress=False)
    cache = ScoreCache(part, PROXY, together=[few, many], job=job.inside(tmp_path))
    first, whole = cache.get(few, 0), cache.get(many, 0)
    assert len(list(tmp_path.iterdir())) == 1
    alone = score(part, few, device="cpu", progress=False)
    np.testing.assert_allclose(first.estimates, alone.estimates, rtol=1e-4)
    assert np.array_equal(first.estimates, whole.estimates[:, :2])
    assert first.provenance["score"] == alone.provenance["score"]
    assert 0 < first.provenance["seconds"] <= whole.provenance["seconds"]
    other = ScoreCache(part, PROXY, together=[few, ELBO(draws=6, gamma_max=2.0)], job=job)
    assert other._with_most_draws(few) is None  # other timesteps
