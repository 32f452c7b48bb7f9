import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from drd_plugin.artifacts import ArtifactError, Run, Scores, Subset
from drd_plugin.bench.experiment import find_grid
from drd_plugin.bench.grid import Grid, GridError
from drd_plugin.bench.plots import plot_accuracy, plot_images, plot_scores, save
from drd_plugin.bench.run import run_grid
from drd_plugin.bench.store import RunStore
from drd_plugin.bench.tables.accuracy import latex, markdown, table
from drd_plugin.bench.tables.footnotes import definitions
from drd_plugin.bench.tables.summary import difference, summary
from drd_plugin.core.provenance import describe, environment, versions
from drd_plugin.core.registry import UnknownName
from drd_plugin.data.mosaic import cell_of
from drd_plugin.methods.published import parse
from drd_plugin.training.recipe import PROXY, Recipe

QUICK = """
methods = ["Random", "Forgetting", "EL2N+CCS", "BWS[proxy_epochs=1,step=0.5]"]
fractions = [0.1, 0.3]
seeds = [0, 1]

[dataset]
name = "digits"

[recipe]
net = "lenet"
steps = 5

[proxy]
epochs = 2

[pin]
noise = 0
"""


@pytest.fixture
def grid_file(tmp_path):
    path = tmp_path / "quick.toml"
    path.write_text(QUICK)
    return path


def run(method, fraction, seed, acc, net="convnet", **rest):
    made = {
        "environment": environment("cpu"), "seeds": {"init": seed, "noise": 0}, "recipe": describe(Recipe()),
        "proxy": describe(PROXY), "method": None if method == "Full" else describe(parse(method).spec),
    }  # fmt: skip
    return Run(
        key=f"{method}{fraction}{seed}{net}", method=method, fraction=fraction, k=int(1000 * fraction), seed=seed,
        dataset="made up", fingerprint="made:up", net=net, acc_last=acc, acc_best=acc + 1, step_best=3, steps=5,
        examples_seen=50, seconds_score=1.0, seconds_select=2.0, seconds_train=3.0, device="cpu",
        chosen=json.dumps(rest), provenance=json.dumps(made),
    )  # fmt: skip


@pytest.fixture
def runs():
    rows = [run("Full", 1.0, s, 90 + s) for s in range(3)]
    rows += [run("Random", f, s, 50 + 100 * f + s) for f in (0.1, 0.3) for s in range(3)]
    window = [{"start": 0.2 + 0.1 * s, "origin": "easiest"} for s in range(3)]
    rows += [run("DRD", f, s, 52 + 100 * f + 2 * s, **window[s]) for f in (0.1, 0.3) for s in range(3)]
    return pd.DataFrame([asdict(row) for row in rows])


def test_the_table_says_what_each_method_is():
    names = ("Full", "EL2N[first_epochs=10]+BWS", "CCS", "CCS[cutoff=0.0]")
    runs = pd.DataFrame([asdict(run(name, 0.1, 0, 50)) for name in names])
    lines = definitions(runs).splitlines()
    assert lines.pop(3) == "- CCS[cutoff=0.0]: as CCS, with cutoff=0.0"
    assert lines[2] == "- CCS: AUM(proxies=1, margin=logits) + Strata(variant=official, strata=50, cutoff_score=AUM)"
    assert lines[3].endswith("; EL2N watches up to epoch 10")
    assert "BWS: EL2N(proxies=1, first_epochs=10, outputs=eval, aggregate=mean) + BestWindow(selector=ridge" in lines[3]
    assert lines[4].startswith("- networks: Recipe(net=convnet, steps=300,")
    assert "; proxies: Recipe(net=convnet, epochs=30," in lines[4]
    assert definitions(runs) in markdown(runs)
    windows = ("AUM+Window[start=0.1]", "AUM+Window[start=0.2]", "EL2N+Window[start=0.2]")
    first, second, third = definitions(pd.DataFrame([asdict(run(of, 0.1, 0, 50)) for of in windows])).splitlines()[2:5]
    assert first.startswith("- AUM+Window[start=0.1]: AUM(")
    assert second == "- AUM+Window[start=0.2]: as AUM+Window[start=0.1], with start=0.2"
    assert third.startswith("- EL2N+Window[start=0.2]: EL2N(")
    alone = definitions(pd.DataFrame([asdict(run("CCS[cutoff=0.0]", 0.1, 0, 50))]))
    assert "- CCS[cutoff=0.0]: AUM(proxies=1, margin=logits) + Strata(variant=official, strata=50, cutoff=0.0" in alone
    runs = pd.DataFrame([asdict(run("CCS", 0.1, seed, 50, cutoff=0.3)) for seed in range(2)])
    assert "1.0 + 2.0 + 3.0; cut-off 30 %" in markdown(runs)


def test_a_grid_is_read_with_the_proxy_like_the_recipe(grid_file):
    grid = find_grid(grid_file)
    assert grid.name == "quick"
    assert grid.recipe == Recipe(net="lenet", steps=5)
    assert grid.proxy == Recipe(net="lenet", epochs=2)
    assert grid.trained_nets == ("lenet",)
    assert grid.seeds_of(1).noise == 0
    assert grid.seeds_of(1).proxy == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("fractions = [0.1, 0.3]", "fractions = [0.1, 30]"), ValueError, r"in \(0, 1\]; got 30 \(for 30 %, 0\.3\)"),
        (("fractions", "fraction"), UnknownName, "unknown key in .* 'fraction': did you mean 'fractions'"),
        (('"Forgetting"', '"Forgeting"'), UnknownName, "unknown method 'Forgeting'.*'Forgetting'"),
        (("steps = 5", "stepz = 5"), UnknownName, "unknown key of a recipe 'stepz'.*'steps'"),
        (("seeds = [0, 1]", "seeds = []"), GridError, r"seeds is \(\): expected a list of at least one"),
        (("seeds = [0, 1]", ""), GridError, "the key seeds is missing"),
        (('"Forgetting"', '"Random"'), GridError, "names something twice"),
        (("epochs = 2", "steps = 2"), GridError, "the proxy is trained in epochs"),
        (("noise = 0", "nose = 0"), UnknownName, "unknown seed to pin 'nose'"),
        (('"Forgetting"', '"EL2N[epoch=3]"'), ValueError, "after epoch 3, but the proxy trains for 2"),
        (("seeds = [0, 1]", "seeds = [0.5]"), ValueError, "non-negative integer, got 0.5"),
        (('"Random"', '"AUM[proxies=0]"'), ValueError, "AUM.proxies must be at least 1, got 0"),
        (('name = "digits"', ""), GridError, r"dataset\.name is missing"),
        (('net = "lenet"', 'net = "lenett"'), UnknownName, "unknown net 'lenett'.*'lenet'"),
        (("[recipe]", "[recipe"), GridError, "cannot be read as a grid"),
    ],
)
def test_grids_that_cannot_be_run(grid_file, change, error, message):
    grid_file.write_text(grid_file.read_text().replace(*change))
    with pytest.raises(error, match=message):
        find_grid(grid_file)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    (folder / "quick.toml").write_text(QUICK)
    store = run_grid(find_grid(folder / "quick.toml"), folder / "out", "cpu", progress=False, workers=1)
    return folder, store


def test_a_grid_gives_every_cell_and_the_full_data_row(finished):
    _, store = finished
    frame = store.frame()
    assert len(frame) == 2 * (1 + 4 * 2)
    assert set(frame["method"]) == {"Full", "Random", "Forgetting", "EL2N+CCS", "BWS[proxy_epochs=1,step=0.5]"}
    assert set(frame.loc[frame["fraction"] == 0.1, "k"]) == {144}
    assert frame["acc_last"].between(0, 100).all()
    assert (frame["acc_best"] >= frame["acc_last"]).all()
    window = frame[frame["method"].str.startswith("BWS")]
    assert all("start" in json.loads(text) for text in window["chosen"])
    provenance = json.loads(frame["provenance"].iloc[0])
    assert {"recipe", "proxy", "seeds", "method", "environment"} <= set(provenance)


def test_all_folds_come_from_one_run_for_each_proxy(finished):
    folder, _ = finished
    names = sorted(path.name.rsplit("-", 1)[0] for path in (folder / "out" / "scores").iterdir())
    assert names == sorted(f"{name}-seed{s}" for s in (0, 1) for name in ("AUM", "EL2N", "Forgetting", "Uniform"))
    seconds = {Scores.load(p).provenance["seconds"] for p in (folder / "out" / "scores").glob("[AEF]*-seed0-*")}
    assert len(seconds) == 1


def test_a_grid_judges_windows_by_its_own_recipe_and_not_the_proxys(tmp_path):
    text = QUICK.replace("epochs = 2", 'epochs = 2\nnet = "convnet_small"').replace("seeds = [0, 1]", "seeds = [0]")
    (tmp_path / "quick.toml").write_text(text)
    grid = replace(find_grid(tmp_path / "quick.toml"), methods=("BWS[proxy_epochs=1,step=0.5]",), fractions=(0.1,))
    run_grid(grid, tmp_path / "out", "cpu", progress=False, workers=1)
    [path] = (tmp_path / "out" / "subsets").iterdir()
    assert grid.proxy.net != grid.recipe.net
    assert Subset.load(path).provenance["trained"]["recipe"] == describe(grid.recipe)


def test_a_finished_grid_is_not_run_again_and_can_grow(finished, monkeypatch):
    folder, store = finished
    before = store.frame()
    grid = find_grid(folder / "quick.toml")
    with monkeypatch.context() as patch:
        patch.setattr("drd_plugin.bench.run.train", lambda *_, **__: pytest.fail("trained again"))
        assert run_grid(grid, folder / "out", "cpu", progress=False, workers=1).frame().equals(before)
    more = replace(grid, seeds=(0, 1, 2), methods=("Random",))
    after = run_grid(more, folder / "out", "cpu", progress=False, workers=1).frame()
    assert len(after) == len(before) + 3
    assert set(before["key"]) <= set(after["key"])


def test_another_grids_folder_is_refused(finished):
    folder, _ = finished
    grid = find_grid(folder / "quick.toml")
    other = replace(grid, recipe=replace(grid.recipe, steps=6))
    with pytest.raises(ArtifactError, match="holds the runs of another grid"):
        run_grid(other, folder / "out", "cpu", progress=False, workers=1)


def test_the_test_set_takes_no_part_in_selection(digits, grid_file, tmp_path, monkeypatch):
    """With another test set, every subset is the same."""
    from drd_plugin.data import Dataset

    grid = replace(find_grid(grid_file), seeds=(0,), fractions=(0.1,))
    run_grid(grid, tmp_path / "one", "cpu", progress=False, workers=1)
    swapped = Dataset(digits.train, replace(digits.test, labels=np.roll(digits.test.labels, 1)))
    monkeypatch.setattr("drd_plugin.bench.grid.load", lambda *_, **__: swapped)
    run_grid(grid, tmp_path / "two", "cpu", progress=False, workers=1)
    picks = [
        {path.name: Subset.load(path).indices.tolist() for path in (tmp_path / part / "subsets").iterdir()}
        for part in ("one", "two")
    ]
    assert picks[0] == picks[1]
    assert len(picks[0]) == 4


def test_a_grid_that_is_killed_goes_on_and_ends_with_the_same_rows(finished, grid_file, tmp_path):
    _, whole = finished
    program = (
        "import sys; from pathlib import Path; from drd_plugin.bench.experiment import find_grid;"
        "from drd_plugin.bench.run import run_grid;"
        "run_grid(find_grid(Path(sys.argv[1])), Path(sys.argv[2]), 'cpu', False, workers=int(sys.argv[3]))"
    )
    command = [sys.executable, "-c", program, str(grid_file), str(tmp_path / "out"), "2"]
    for kills in (3, 9):
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "2"})
        while process.poll() is None and len(list((tmp_path / "out" / "runs").glob("*.parquet"))) < kills:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True)
    resumed = RunStore(tmp_path / "out").frame().set_index("key")
    expected = whole.frame().set_index("key")
    expected = expected[expected["seed"] < 2]
    assert sorted(resumed.index) == sorted(expected.index)
    same = resumed["acc_last"].reindex(expected.index) == expected["acc_last"]
    assert same.mean() > 0.8  # rounding may flip an image or two where threads differ


def test_runs_are_kept_one_by_one_and_then_together(tmp_path):
    store = RunStore(tmp_path, {"a": 1})
    for seed in range(3):
        store.append(run("DRD", 0.1, seed, 50.0))
    assert len(list(store.runs.iterdir())) == 3
    before = store.frame()
    store.compact()
    assert [path.name for path in store.runs.iterdir()] == ["all.parquet"]
    assert store.frame().equals(before.sort_values(["seed", "method", "fraction", "net"], ignore_index=True))
    store.append(run("DRD", 0.1, 0, 50.0))
    assert len(store.frame()) == 3


def test_the_seconds_of_a_study_are_noted_with_each_row_so_that_a_killed_one_keeps_them(tmp_path):
    store, seen = RunStore(tmp_path, {"a": 1}), []
    for _ in range(2):
        with store.filling():
            for seed in range(2):
                time.sleep(0.1)
                store.append(run("DRD", 0.1, seed, 50.0))
                seen.append(RunStore(tmp_path).about["seconds"])
    assert all(noted >= 0.1 * place - 1e-9 for place, noted in enumerate(seen, 1))
    assert seen == sorted(set(seen))


def test_tables_take_the_newest_of_a_cell(tmp_path):
    store = RunStore(tmp_path, {"a": 1})
    for year, acc in ((2027, 60.0), (2026, 50.0)):
        made = {"environment": {"created": f"{year}-01-01"}, "seeds": {}}
        store.append(replace(run("DRD", 0.1, 0, acc), key=str(year), provenance=json.dumps(made)))
    assert len(store.frame()) == 2
    assert store.latest()["acc_last"].tolist() == [60.0]


def test_a_run_that_comes_while_files_are_joined_is_not_lost(tmp_path, monkeypatch):
    store = RunStore(tmp_path, {"a": 1})
    store.append(run("DRD", 0.1, 0, 50.0))
    write = RunStore._write

    def write_and_append(frame, path):
        write(frame, path)
        if path.name == "all.parquet":
            store.append(run("DRD", 0.1, 1, 50.0))

    monkeypatch.setattr(RunStore, "_write", staticmethod(write_and_append))
    store.compact()
    assert len(store.frame()) == 2


def test_a_grid_of_which_nothing_ran_gives_way(tmp_path):
    RunStore(tmp_path, {"a": 1})
    RunStore(tmp_path, {"a": 2}).append(run("DRD", 0.1, 0, 50.0))
    with pytest.raises(ArtifactError, match="another grid"):
        RunStore(tmp_path, {"a": 1})


def test_damaged_runs_and_empty_folders(tmp_path):
    store = RunStore(tmp_path, {"a": 1})
    store.append(run("DRD", 0.1, 0, 50.0))
    (store.runs / "broken.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(ArtifactError, match=r"broken\.parquet is damaged"):
        store.frame()
    with pytest.raises(ArtifactError, match="holds no runs"):
        RunStore(tmp_path / "nothing")


def test_runs_do_not_go_where_scores_lie(tmp_path, make_scores):
    make_scores([1.0, 2.0]).save(tmp_path)
    with pytest.raises(ArtifactError, match="holds scores: give another folder"):
        RunStore(tmp_path, {"a": 1})


def test_the_summary_by_hand(runs):
    row = summary(runs).set_index(["method", "fraction"]).loc[("DRD", 0.1)]
    assert (row["mean"], row["std"], row["n"], row["best_mean"]) == (64, 2, 3, 65)
    assert row["difference"] == 3
    half = 4.302652729911275 / 3**0.5  # t with two degrees of freedom; the differences are 2, 3 and 4
    assert (row["low"], row["high"]) == pytest.approx((3 - half, 3 + half))
    assert row["start"] == pytest.approx(0.3)


def test_intervals_cover_what_they_promise_also_with_three_seeds():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        _, low, high = difference(rng.normal(1, 2, 3), np.zeros(3))
        covered += low <= 1 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def test_there_is_a_table_of_differences_for_each_baseline(runs):
    text = markdown(runs, baselines=("Random", "DRD", "nothing"))
    assert [line.split()[2] for line in text.splitlines() if line.startswith("Difference")] == ["Random", "DRD"]


def test_a_difference_is_paired(runs):
    wide = np.array([10.0, 50.0, 90.0])
    assert difference(wide + 1, wide) == (1, 1, 1)
    mean, low, high = difference(np.array([5.0]), np.array([3.0]))
    assert mean == 2
    assert np.isnan([low, high]).all()
    shuffled = runs.sample(frac=1, random_state=0)
    assert summary(shuffled)["difference"].equals(summary(runs)["difference"])


def test_the_table_by_hand(runs):
    frame = table(runs)
    assert list(frame.columns) == ["10 %", "30 %", "100 %"]
    assert list(frame.index) == ["Random", "DRD", "Full"]
    assert frame.loc["DRD"].tolist() == ["**64.0 ± 2.0**", "**84.0 ± 2.0**", ""]
    assert frame.loc["Full", "100 %"] == "91.0 ± 1.0"
    assert table(runs, "acc_best", "plain").loc["Random", "10 %"] == "62.0 ± 1.0"
    text = markdown(runs)
    assert "over 3 seeds" in text
    assert "+3.0 [+0.5, +5.5]" in text
    assert "1.0 + 2.0 + 3.0; start 30 % from easiest" in text
    assert f"{len(runs)} runs on made:up; cpu (" in text
    assert f"torch {versions()['torch']}" in text
    assert "One seed of noise in all runs" in text
    assert "One seed of" not in markdown(runs[runs["method"] != "DRD"])
    tex = latex(runs)
    assert tex.startswith("% convnet, test accuracy in %, mean ± standard deviation over 3 seeds")
    assert r"\textbf{64.0 $\pm$ 2.0}" in tex
    assert r"10 \%" in tex


def test_tables_and_pictures_are_of_one_net(runs):
    both = pd.concat([runs, runs.assign(net="lenet")])
    for show in (table, plot_accuracy):
        with pytest.raises(ValueError, match="of the nets convnet, lenet: take those of one"):
            show(both)


def test_cells_with_other_numbers_of_seeds_say_so(runs):
    fewer = table(runs[(runs["method"] != "DRD") | (runs["seed"] < 2)], style="plain")
    assert fewer.loc["DRD", "10 %"] == "63.0 ± 1.4 (n = 2)"
    assert fewer.loc["Random", "10 %"].endswith("(n = 3)")


def test_the_full_data_alone_are_drawn(runs):
    assert plot_accuracy(runs[runs["method"] == "Full"]).get_xlim()[0] < 100


def test_accuracy_is_drawn_with_every_method(runs, tmp_path):
    ax = plot_accuracy(runs)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Full data", "Random", "DRD"]
    save(ax, tmp_path / "a" / "accuracy.png")
    assert (tmp_path / "a" / "accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_impossible_grids_in_python():
    with pytest.raises(GridError, match=r"methods is \(\): expected a list of at least one"):
        Grid("x", (), (0.1,), (0,), {"name": "digits"})
    with pytest.raises(GridError, match="methods is 'DRD': expected a list"):
        Grid("x", "DRD", (0.1,), (0,), {"name": "digits"})
    with pytest.raises(GridError, match="seeds names something twice"):
        Grid("x", ("DRD",), (0.1,), (0, 0), {"name": "digits"})
    with pytest.raises(UnknownName, match="unknown key of a grid's dataset 'rooot': did you mean 'root'"):
        Grid("x", ("DRD",), (0.1,), (0,), {"name": "digits", "rooot": "."})


def test_images_and_scores_are_drawn_where_they_are_asked_for(tiny, make_scores):
    ax = plot_images(tiny, {"first": np.arange(3)[::-1], "then": [3]}, caption=lambda i: f"number {i}")
    assert [text.get_text() for text in ax.texts] == ["number 2", "number 1", "number 0", "number 3"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "then"]
    shown = np.asarray(ax.images[0].get_array())
    height, width = tiny.shape[1:]
    above = shown.shape[0] // 2 - cell_of(tiny)
    assert (shown[above : above + height, :width, 0] == tiny.images[2, 0].numpy()).all()
    assert (shown[-cell_of(tiny) :, cell_of(tiny) :] == 255).all(), "the second row has one image"
    plt.close("all")
    ax = plot_scores(make_scores([3.0, 1.0, 2.0]))
    assert ax.lines[0].get_ydata().tolist() == [1, 2, 3]
    assert not ax.collections
    plt.close("all")
    ax = plot_scores(make_scores([[3.0, 4.0], [1.0, 1.0]]))
    assert ax.collections
    plt.close("all")
