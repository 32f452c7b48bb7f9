"""The studies that are more than a table of accuracies: closed cases, and each run small on the digits."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bench.grid import Grid
from drd_plugin.bench.session import Bench
from drd_plugin.bench.store import RunStore
from drd_plugin.bench.studies import CrossEvaluation, Noise, Separation, Stability, Windows
from drd_plugin.bench.studies.cross_evaluation import CrossRun, cross_table, parts_of
from drd_plugin.bench.studies.noise import Detection, _about, detection_auroc
from drd_plugin.bench.studies.separation import Separated, _apart
from drd_plugin.bench.studies.stability import Stable, _agreement
from drd_plugin.bench.studies.windows import windows
from drd_plugin.bench.tables.words import gap
from drd_plugin.bench.workers import Lab
from drd_plugin.data import take
from drd_plugin.scores import ELBO
from drd_plugin.scoring.cache import ScoreCache
from drd_plugin.scoring.compute import score
from drd_plugin.training.recipe import PROXY, Recipe


@pytest.fixture
def grid():
    recipe = Recipe(net="lenet", steps=30, lr=0.05)
    return Grid("small", ("Random", "AUM"), (0.3,), (0, 1), {"name": "digits"}, recipe, recipe.for_epochs(3))


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path / "out", device="cpu", workers=1, progress=False)


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


def test_the_cross_evaluation_trains_on_each_part_and_goes_on(grid, lab):
    study, grid = CrossEvaluation(parts=2), replace(grid, methods=("AUM",), seeds=(0,))
    study.run(grid, lab)
    rows = RunStore(lab.out, row=CrossRun).frame()
    assert len(rows) == 2 * 2 * 3
    own = rows[rows["trained_on"] == rows["tested_on"]]["accuracy"].mean()
    assert own > rows[rows["tested_on"] < 2]["accuracy"].mean()
    assert (rows.drop_duplicates(["ranking", "trained_on"]).groupby("ranking")["k"].sum() == 1437).all()
    results = draw(study.read(lab.out))
    assert "AUM, lenet, parts of the whole ranking; accuracy in %, one seed." in results.text
    assert set(results.plots) == {"cross-AUM-global", "cross-AUM-class"}
    stamp = (lab.out / "runs" / "all.parquet").stat().st_mtime_ns
    study.run(grid, lab)
    assert RunStore(lab.out, row=CrossRun).frame().equals(rows)
    part = rows[(rows["ranking"] == "class") & (rows["trained_on"] == 0)]
    rows.drop(part.index).to_parquet(lab.out / "runs" / "all.parquet")
    study.run(grid, lab)
    again = RunStore(lab.out, row=CrossRun).frame()
    assert sorted(again["key"]) == sorted(rows["key"])
    assert (lab.out / "runs" / "all.parquet").stat().st_mtime_ns > stamp
    with pytest.raises(ArtifactError, match="another grid"):
        study.run(replace(grid, recipe=replace(grid.recipe, steps=5)), lab)


def test_detection_by_hand():
    planted = np.array([False, False, True, True])
    assert detection_auroc(np.array([1.0, 2, 3, 4]), planted) == 1
    assert detection_auroc(np.array([4.0, 3, 2, 1]), planted) == 0
    assert detection_auroc(np.array([1.0, 1, 1, 1]), planted) == 0.5
    assert detection_auroc(np.array([1.0, 3, 2, 4]), planted) == 0.75


def test_planted_labels_are_found_and_cost_accuracy(grid, lab):
    study = Noise(shares=(0.2,), kinds=("wrong_labels",))
    study.run(replace(grid, methods=("Random", "AUM", "CCS", "AUM+BWS")), lab)
    rows = RunStore(lab.out, row=Detection).frame()
    auroc = rows.groupby("method")["auroc"].mean()
    assert set(auroc.index) == {"Random", "AUM"}  # CCS and BWS have AUM's score
    assert auroc["AUM"] > 0.7
    assert 0.4 < auroc["Random"] < 0.6
    runs = RunStore(lab.out / "wrong_labels-20").frame()
    assert set(runs["method"]) == {"Full", "Random", "AUM", "CCS", "AUM+BWS"}
    assert runs["fingerprint"].nunique() == 1
    assert not runs["fingerprint"].str.contains("a2bec4f78cc38cdc").any()  # that of the untouched digits
    results = draw(study.read(lab.out))
    assert "Wrong labels: area under the ROC curve by the share that was planted" in results.text
    assert "Wrong labels: test accuracy in % with 30 % kept" in results.text
    cells = results.frames["table"].set_index("method")
    windows = runs[runs["method"] == "AUM+BWS"]["chosen"].map(lambda of: json.loads(of)["start"])
    assert "Wrong labels, 30 % kept, by the share that was planted. Mean start of the windows" in results.text
    assert re.search(rf"\| AUM\+BWS +\| {100 * windows.mean():.0f} % from hardest +\|", results.text)
    apart = gap(*cells.loc["AUM", ["difference", "low", "high"]])
    assert cells.loc["AUM", "difference"] == pytest.approx(
        runs[runs["method"] == "AUM"]["acc_last"].mean() - runs[runs["method"] == "Random"]["acc_last"].mean()
    )
    assert "Difference from Random in points, paired by seed, with the 95 % interval" in results.text
    assert re.search(rf"\| AUM +\| {re.escape(apart)} +\|", results.text)
    assert set(results.frames["detection"].columns) == {"method", "kind", "share", "mean", "std", "count"}
    study.run(replace(grid, methods=("Random", "AUM", "CCS", "AUM+BWS")), lab)
    assert RunStore(lab.out, row=Detection).frame().equals(rows)


def test_corrupted_images_are_found_and_the_table_says_what_a_denoiser_knows(grid, lab):
    study = Noise(shares=(0.2,), kinds=("corrupted",))
    study.run(replace(grid, methods=("AUM", "EL2N"), seeds=(0,)), lab)
    rows = RunStore(lab.out, row=Detection).frame()
    assert (rows["auroc"] > 0.5).all()
    store = RunStore(lab.out / "corrupted-20")
    store.leave_out({"DRD": "no denoiser is bundled"})
    text = study.read(lab.out).text
    assert text.startswith("1,437 training examples; one seed of the trainings.")
    assert "Left out: DRD (no denoiser is bundled)." in text
    assert "denoiser of" not in text
    made = {"method": [{"name": "DRD", "denoiser": "auto"}, {"name": "Hardest"}]}
    asked = rows.assign(method="DRD", provenance=json.dumps(made))
    assert "The denoiser of DRD was trained on the data before anything" in _about(asked, store.frame())


def test_strata_apart_and_strata_that_mean_nothing():
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1, 2], 100)
    found = rng.normal(size=(300, 2)) + 20 * strata[:, None]
    silhouette, ami = _apart(found, strata, 3, 0)
    assert silhouette > 0.8
    assert ami == pytest.approx(1)
    silhouette, ami = _apart(found, rng.permutation(strata), 3, 0)
    assert silhouette < 0.05
    assert abs(ami) < 0.05


def test_separation_measures_every_score_in_the_same_features(grid, lab):
    study = Separation(most=60, shown=40)
    study.run(grid, lab)
    rows = RunStore(lab.out, row=Separated).frame()
    assert sorted(zip(rows["method"], rows["seed"], strict=True)) == [
        ("AUM", 0), ("AUM", 1), ("Random", 0), ("Random", 1),
    ]  # fmt: skip
    assert rows["ami"].between(-1, 1).all()
    assert rows["silhouette"].between(-1, 1).all()
    map_ = pd.read_parquet(lab.out / "map.parquet")
    assert list(map_.columns) == ["index", "x", "y", "Random", "AUM"]
    assert len(map_) == 40
    results = draw(study.read(lab.out))
    assert set(results.plots) == {"strata-Random", "strata-AUM"}
    study.run(grid, lab)
    assert RunStore(lab.out, row=Separated).frame().equals(rows)
    study.run(replace(grid, methods=("EL2N",)), lab)
    grown = draw(study.read(lab.out))
    assert set(grown.plots) == {"strata-Random", "strata-AUM", "strata-EL2N"}
    more = RunStore(lab.out, row=Separated).frame()
    assert more[more["method"] != "EL2N"].reset_index(drop=True).equals(rows)
    assert pd.read_parquet(lab.out / "map.parquet")[[*map_.columns]].equals(map_)


def test_a_score_agrees_with_itself(make_scores):
    labels, rng = np.repeat([0, 1], 50), np.random.default_rng(0)
    values = rng.random(100)
    scores = make_scores(values, labels)
    assert _agreement(scores, scores) == pytest.approx((1, 1))
    assert _agreement(scores, make_scores(-values, labels)) == pytest.approx((-1, 0))
    assert _agreement(scores, make_scores(-values, labels, higher_is_harder=False)) == pytest.approx((1, 1))
    swapped = make_scores(values + 100 * labels, labels)  # another order between classes, the same within
    assert _agreement(scores, swapped) == pytest.approx((1, 1))


def test_stability_compares_seeds_proxies_and_draws(grid, lab):
    study = Stability(proxies=("convnet_small",), noise_seeds=2)
    few = replace(grid, methods=("AUM[proxies=2]",), dataset={"name": "digits", "examples": 200})
    study.run(few, lab)
    rows = RunStore(lab.out, row=Stable).frame()
    assert rows.groupby("chance").size().to_dict() == {"draws": 2, "proxies": 2, "seeds": 1}
    assert set(rows[rows["chance"] == "proxies"]["other"]) == {"convnet_small, seed 0", "convnet_small, seed 1"}
    assert set(rows[rows["chance"] == "draws"]["other"]) == {"2 proxies"}
    assert rows["correlation"].between(-1, 1).all()
    assert rows[rows["chance"] != "draws"]["hardest"].between(0, 1).all()
    results = draw(study.read(lab.out))
    assert "| seeds" in results.text
    assert "nan" not in results.text
    with pytest.raises(ValueError, match="this study looks at scores"):
        study._seeds(few, type("Foreign", (), {"scores": [], "name": "deepcore:Craig"})())


def test_stability_lets_all_workers_draw(grid, lab, monkeypatch):
    drawn = "DRD[draws=2, timestep=40, solver=dpmsolver++, solver_steps=1, distance=mse]"
    asked = []
    monkeypatch.setattr(Bench, "score_all", lambda self, wanted: asked.extend(wanted))
    few = replace(grid, methods=("AUM", drawn), dataset={"name": "digits", "examples": 50})
    Stability(noise_seeds=2).run(few, lab)
    assert sorted((method.name, seeds.noise) for method, seeds in asked) == [
        ("AUM", 0), ("AUM", 1), (drawn, 0), (drawn, 1),
    ]  # fmt: skip


def test_windows_are_laid_out_by_their_start(grid, lab):
    names = tuple(f"AUM+Window[ranking=class,start={start}]" for start in (0.0, 0.7))
    study = Windows()
    study.run(replace(grid, methods=("Random", *names), seeds=(0,)), lab)
    laid = windows(RunStore(lab.out).latest())
    assert sorted(laid["start"]) == [0.0, 0.7]
    assert set(laid["score"]) == {"AUM"}
    results = draw(study.read(lab.out))
    assert "| AUM     | 70 %    |" in results.text
    assert "The best start of the means: AUM, 30 %: " in results.text


def test_fewer_draws_are_the_first_of_more(digits, tmp_path):
    part = take(digits.train, 30)
    few, many = ELBO(draws=2), ELBO(draws=5)
    cache = ScoreCache(part, PROXY, together=[few, many], folder=tmp_path, device="cpu", progress=False)
    taken, whole = cache.get(few, 0), cache.get(many, 0)
    assert len(list(tmp_path.iterdir())) == 1
    alone = score(part, few, device="cpu", progress=False)
    np.testing.assert_allclose(taken.estimates, alone.estimates, rtol=1e-4)
    assert np.array_equal(taken.estimates, whole.estimates[:, :2])
    assert taken.provenance["score"] == alone.provenance["score"]
    assert 0 < taken.provenance["seconds"] <= whole.provenance["seconds"]
    one = ScoreCache(part, PROXY, together=[few, ELBO(draws=6, gamma_max=2.0)], device="cpu", progress=False)
    assert one._longer(few) is None  # other timesteps
