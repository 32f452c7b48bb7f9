"""A grid: how it is read and refused, run and resumed, kept in a store, and laid out in tables and pictures."""

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
from PIL import Image

from drd_plugin.artifacts import ArtifactError, Scores, Subset
from drd_plugin.bench import (
    Grid,
    GridError,
    Results,
    RunStore,
    Workers,
    find_experiment,
    plot_accuracy,
    read_results,
    run_grid,
    save,
    table,
)
from drd_plugin.bench.plots import plot_cost, plot_images, plot_scores
from drd_plugin.bench.tables.accuracy import latex, markdown
from drd_plugin.bench.tables.footnotes import compared, origin
from drd_plugin.bench.tables.summary import difference, summary
from drd_plugin.core.provenance import describe, versions
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import Dataset
from drd_plugin.data.mosaic import cell_of
from drd_plugin.dynamic import InfoBatch
from drd_plugin.training import Recipe

QUICK = """
methods = ["Random", "Forgetting", "EL2N+CCS", "BWS[proxy_epochs=1,step=0.5]", "RS2"]
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


@pytest.fixture(scope="module")
def runs(make_run):
    rows = [make_run("Full", 1.0, s, 90 + s) for s in range(3)]
    rows += [make_run("Random", f, s, 50 + 100 * f + s) for f in (0.1, 0.3) for s in range(3)]
    windows = [{"start": 0.2 + 0.1 * s, "origin": "easiest"} for s in range(3)]
    rows += [make_run("DRD", f, s, 52 + 100 * f + 2 * s, chosen=windows[s]) for f in (0.1, 0.3) for s in range(3)]
    return pd.DataFrame([asdict(row) for row in rows])


def test_the_text_says_what_each_method_is(make_run):
    def rows_of(*methods):
        return pd.DataFrame([asdict(make_run(method, 0.1, 0, 50)) for method in methods])

    runs = rows_of("Full", "EL2N[first_epochs=10]+BWS", "CCS", "CCS[cutoff=0.0]")
    lines = compared(runs).splitlines()
    assert lines.pop(3) == "- CCS[cutoff=0.0]: as CCS, with cutoff=0.0"
    assert lines[2] == "- CCS: AUM(proxies=1, margin=logits) + Strata(variant=official, strata=50, cutoff_score=AUM)"
    assert lines[3].endswith("; EL2N watches up to epoch 10")
    assert "BWS: EL2N(proxies=1, first_epochs=10, outputs=eval, aggregate=mean) + BestWindow(selector=ridge" in lines[3]
    assert lines[4].startswith("- networks: Recipe(net=convnet, steps=300,")
    assert "; proxies: Recipe(net=convnet, epochs=30," in lines[4]
    assert compared(runs) in Results(markdown(runs), runs).text
    windows = rows_of("AUM+Window[start=0.1]", "AUM+Window[start=0.2]", "EL2N+Window[start=0.2]")
    first, second, third = compared(windows).splitlines()[2:5]
    assert first.startswith("- AUM+Window[start=0.1]: AUM(")
    assert second == "- AUM+Window[start=0.2]: as AUM+Window[start=0.1], with start=0.2"
    assert third.startswith("- EL2N+Window[start=0.2]: EL2N(")
    alone = compared(rows_of("CCS[cutoff=0.0]"))
    assert "- CCS[cutoff=0.0]: AUM(proxies=1, margin=logits) + Strata(variant=official, strata=50, cutoff=0.0" in alone
    cut_off = [make_run("CCS", 0.1, seed, 50, chosen={"cutoff": 0.3}) for seed in range(2)]
    assert "1.0 + 2.0 + 3.0; cut-off 30 %" in markdown(pd.DataFrame([asdict(run) for run in cut_off]))


def test_a_grid_is_read_with_the_proxy_like_the_recipe(grid_file):
    grid = find_experiment(grid_file).grid
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
        (("seeds = [0, 1]", "seeds = [0.5]"), GridError, r"seeds is \[0\.5\]: expected a list of whole numbers"),
        (('"Random"', '"AUM[proxies=0]"'), ValueError, "AUM.proxies must be at least 1, got 0"),
        (('name = "digits"', ""), GridError, r"dataset\.name is missing"),
        (('net = "lenet"', 'net = "lenett"'), UnknownName, "unknown net 'lenett'.*'lenet'"),
        (("[recipe]", "[recipe"), GridError, "cannot be read as a grid"),
    ],
)
def test_grids_that_cannot_be_run(grid_file, change, error, message):
    grid_file.write_text(grid_file.read_text().replace(*change))
    with pytest.raises(error, match=message):
        find_experiment(grid_file)


def serial(out):
    """One worker on the CPU, whose results go to a folder."""
    return Workers(out, device="cpu", workers=1, progress=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A grid, its folder and its runs."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "quick.toml").write_text(QUICK)
    grid = find_experiment(folder / "quick.toml").grid
    return grid, folder / "out", run_grid(grid, serial(folder / "out")).frame()


def test_a_grid_gives_every_cell_and_the_full_data_row(finished):
    *_, frame = finished
    assert len(frame) == 2 * (1 + 5 * 2)
    assert set(frame["method"]) == {"Full", "Random", "Forgetting", "EL2N+CCS", "BWS[proxy_epochs=1,step=0.5]", "RS2"}
    assert set(frame.loc[frame["fraction"] == 0.1, "k"]) == {144}
    assert frame["acc_last"].between(0, 100).all()
    assert (frame["acc_best"] >= frame["acc_last"]).all()
    window = frame[frame["method"].str.startswith("BWS")]
    assert all("start" in json.loads(text) for text in window["chosen"])
    provenance = json.loads(frame["provenance"].iloc[0])
    assert {"recipe", "proxy", "seeds", "method", "environment"} <= set(provenance)


def test_a_comparison_takes_a_dynamic_method_beside_static_ones(finished):
    _, out, frame = finished
    rs2 = frame[frame["method"] == "RS2"]
    assert sorted(rs2["fraction"]) == [0.1, 0.1, 0.3, 0.3]
    assert set(rs2["steps"]) == set(frame["steps"]) == {5}
    for run in rs2.itertuples():
        assert run.k == round(run.examples_seen / run.epochs)
        assert run.k == pytest.approx(1437 * run.fraction, rel=0.01)  # the last epoch stops between two steps
        assert {epoch["examples"] for epoch in json.loads(run.trajectory)} == {round(1437 * run.fraction)}
        assert json.loads(run.provenance)["method"] == [{"name": "RS2"}]
    results = read_results(out)
    assert "| RS2 " in results.tables
    assert "- RS2: RS2()" in results.text
    assert {"RS2", "Random"} <= set(results.frames["table"]["method"])
    assert all(plot(None).lines for plot in results.plots.values())
    plt.close("all")


def test_all_folds_come_from_one_run_for_each_proxy(finished):
    _, out, _ = finished
    names = sorted(path.name.rsplit("-", 1)[0] for path in (out / "scores").iterdir())
    assert names == sorted(f"{name}-seed{s}" for s in (0, 1) for name in ("AUM", "EL2N", "Forgetting", "Uniform"))
    seconds = {Scores.load(p).provenance["seconds"] for p in (out / "scores").glob("[AEF]*-seed0-*")}
    assert len(seconds) == 1


def test_a_grid_judges_windows_by_its_own_recipe_and_not_the_proxys(grid_file, workers):
    grid_file.write_text(QUICK.replace("epochs = 2", 'epochs = 2\nnet = "convnet_small"'))
    grid = find_experiment(grid_file).grid
    grid = replace(grid, methods=("BWS[proxy_epochs=1,step=0.5]",), fractions=(0.1,), seeds=(0,))
    run_grid(grid, workers)
    [path] = (workers.out / "subsets").iterdir()
    assert grid.proxy.net != grid.recipe.net
    assert Subset.load(path).provenance["trained"]["recipe"] == describe(grid.recipe)


def test_a_finished_grid_is_not_run_again_and_can_grow(finished, monkeypatch):
    grid, out, before = finished
    with monkeypatch.context() as patch:
        patch.setattr("drd_plugin.bench.run.train", lambda *_, **__: pytest.fail("trained again"))
        assert run_grid(grid, serial(out)).frame().equals(before)
    after = run_grid(replace(grid, seeds=(0, 1, 2), methods=("Random",)), serial(out)).frame()
    assert len(after) == len(before) + 3
    assert set(before["key"]) <= set(after["key"])


def test_another_grids_folder_is_refused(finished):
    grid, out, _ = finished
    other = replace(grid, recipe=replace(grid.recipe, steps=6))
    with pytest.raises(ArtifactError, match="holds the runs of another grid"):
        run_grid(other, serial(out))


def test_the_test_set_takes_no_part_in_selection(digits, finished, workers, monkeypatch):
    """With another test set, every subset is the same."""
    grid, out, _ = finished
    swapped = Dataset(digits.train, replace(digits.test, labels=np.roll(digits.test.labels, 1)))
    monkeypatch.setattr("drd_plugin.bench.grid.load", lambda *_, **__: swapped)
    run_grid(replace(grid, seeds=(0,), fractions=(0.1,)), workers)
    subsets = sorted((workers.out / "subsets").iterdir())
    assert len(subsets) == 4
    for path in subsets:
        assert Subset.load(path).indices.tolist() == Subset.load(out / "subsets" / path.name).indices.tolist()


def test_a_grid_that_is_killed_goes_on_and_many_workers_end_with_the_rows_of_one(finished, grid_file, tmp_path):
    """Killed twice, with two workers and with one, and ended by two."""
    grid, _, whole = finished
    program = (
        "import sys; from pathlib import Path; from drd_plugin.bench import Workers, find_experiment, run_grid;"
        "file, out, workers = sys.argv[1:];"
        "run_grid(find_experiment(file).grid, Workers(Path(out), None, 'cpu', int(workers), False))"
    )
    out = tmp_path / "out"
    for workers, kill_at in ((2, 3), (1, 7)):
        command = [sys.executable, "-c", program, str(grid_file), str(out), str(workers)]
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "2"})
        while process.poll() is None and len(list((out / "runs").glob("*.parquet"))) < kill_at:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    before = RunStore(out).frame()
    assert kill_at <= len(before) < len(whole)
    resumed = run_grid(grid, Workers(out, device="cpu", workers=2, progress=False)).frame().set_index("key")
    assert set(before["key"]) <= set(resumed.index)
    expected = whole.set_index("key")
    assert sorted(resumed.index) == sorted(expected.index)
    difference = (resumed["acc_last"].reindex(expected.index) - expected["acc_last"]).abs()
    assert (difference == 0).mean() > 0.8  # rounding may flip an image or two where threads differ
    assert difference.max() < 2


def test_runs_are_stored_one_by_one_and_then_together(tmp_path, make_run):
    store = RunStore(tmp_path, {"a": 1})
    for seed in range(3):
        store.append(make_run("DRD", 0.1, seed, 50.0))
    assert len(list(store.runs.iterdir())) == 3
    before = store.frame()
    store.compact()
    assert [path.name for path in store.runs.iterdir()] == ["all.parquet"]
    assert store.frame().equals(before.sort_values(["seed", "method", "fraction", "net"], ignore_index=True))
    store.append(make_run("DRD", 0.1, 0, 50.0))
    assert len(store.frame()) == 3


def test_the_seconds_of_a_study_are_noted_with_each_row_so_that_a_killed_one_keeps_them(tmp_path, make_run):
    store, seconds = RunStore(tmp_path, {"a": 1}), []
    for _ in range(2):
        with store.filling():
            for seed in range(2):
                time.sleep(0.1)
                store.append(make_run("DRD", 0.1, seed, 50.0))
                seconds.append(RunStore(tmp_path).about["seconds"])
    assert all(total >= 0.1 * place - 1e-9 for place, total in enumerate(seconds, 1))
    assert seconds == sorted(set(seconds))


def test_tables_take_the_newest_of_a_cell(tmp_path, make_run):
    store = RunStore(tmp_path, {"a": 1})
    for year, acc in ((2027, 60.0), (2026, 50.0)):
        provenance = json.dumps({"environment": {"created": f"{year}-01-01"}, "seeds": {}})
        store.append(make_run("DRD", 0.1, 0, acc, key=str(year), provenance=provenance))
    assert len(store.frame()) == 2
    assert store.latest()["acc_last"].tolist() == [60.0]


def test_a_run_that_comes_while_files_are_joined_is_not_lost(tmp_path, monkeypatch, make_run):
    store = RunStore(tmp_path, {"a": 1})
    store.append(make_run("DRD", 0.1, 0, 50.0))
    write = RunStore._write

    def write_and_append(frame, path):
        write(frame, path)
        if path.name == "all.parquet":
            store.append(make_run("DRD", 0.1, 1, 50.0))

    monkeypatch.setattr(RunStore, "_write", staticmethod(write_and_append))
    store.compact()
    assert len(store.frame()) == 2


def test_a_grid_of_which_nothing_ran_gives_way(tmp_path, make_run):
    RunStore(tmp_path, {"a": 1})
    RunStore(tmp_path, {"a": 2}).append(make_run("DRD", 0.1, 0, 50.0))
    with pytest.raises(ArtifactError, match="another grid"):
        RunStore(tmp_path, {"a": 1})


def test_damaged_runs_and_empty_folders(tmp_path, make_run):
    store = RunStore(tmp_path, {"a": 1})
    store.append(make_run("DRD", 0.1, 0, 50.0))
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
    samples = np.random.default_rng(0).normal(1, 2, (2000, 3))
    intervals = [difference(sample, np.zeros(3))[1:] for sample in samples]
    assert np.mean([low <= 1 <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


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
    text = Results(markdown(runs), runs).text
    assert "over 3 seeds" in text
    assert "+3.0 [+0.5, +5.5]" in text
    assert "1.0 + 2.0 + 3.0; start 30 % from easiest" in text
    assert f"{len(runs)} runs on made:up; cpu (" in text
    assert f"torch {versions()['torch']}" in text
    assert "One seed of noise in all runs" in text
    assert "One seed of" not in origin(runs[runs["method"] != "DRD"])
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


def test_a_method_that_decides_its_share_has_a_column_of_its_own_and_is_drawn_at_that_share(runs, make_run):
    own = [make_run("InfoBatch", 0.0, seed, 80 + seed, k=720, spec=[InfoBatch()]) for seed in range(3)]
    both = pd.concat([runs, pd.DataFrame([asdict(run) for run in own])])
    frame = table(both, style="plain")
    assert list(frame.columns) == ["its own", "10 %", "30 %", "100 %"]
    assert frame.loc["InfoBatch"].tolist() == ["81.0 ± 1.0", "", "", ""]
    assert "| its own " in markdown(both)
    assert r"& its own & 10 \% & 30 \% & 100 \%" in latex(both)
    ax = plot_accuracy(both)
    places = {bars.get_label(): bars[0].get_xdata() for bars in ax.containers}
    [share] = places["InfoBatch"]
    assert share == pytest.approx(72, rel=0.05)
    assert ax.get_xlim()[0] < 10 < 72 < ax.get_xlim()[1]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["10", "30"]
    assert "72" in [text.get_text() for text in plot_cost(both).texts]
    without_full = plot_accuracy(both[both["method"] != "Full"])
    assert [bars.get_label() for bars in without_full.containers] == ["Random", "DRD"]
    plt.close("all")


def test_impossible_grids_in_python():
    with pytest.raises(GridError, match=r"methods is \(\): expected a list of at least one"):
        Grid("x", (), (0.1,), (0,), {"name": "digits"})
    with pytest.raises(GridError, match="methods is 'DRD': expected a list"):
        Grid("x", "DRD", (0.1,), (0,), {"name": "digits"})
    with pytest.raises(GridError, match="seeds names something twice"):
        Grid("x", ("DRD",), (0.1,), (0, 0), {"name": "digits"})
    with pytest.raises(UnknownName, match="unknown key of a grid's dataset 'rooot': did you mean 'root'"):
        Grid("x", ("DRD",), (0.1,), (0,), {"name": "digits", "rooot": "."})


def test_images_and_scores_are_drawn_on_new_axes(tiny, make_scores):
    ax = plot_images(tiny, {"first": np.arange(3)[::-1], "then": [3]}, caption=lambda i: f"number {i}")
    assert [text.get_text() for text in ax.texts] == ["number 2", "number 1", "number 0", "number 3"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "then"]
    canvas = np.asarray(ax.images[0].get_array())
    height, width = tiny.shape[1:]
    above = canvas.shape[0] // 2 - cell_of(tiny)
    assert (canvas[above : above + height, :width, 0] == tiny.images[2, 0].numpy()).all()
    assert (canvas[-cell_of(tiny) :, cell_of(tiny) :] == 255).all(), "the second row has one image"
    plt.close("all")
    ax = plot_scores(make_scores([3.0, 1.0, 2.0]))
    assert ax.lines[0].get_ydata().tolist() == [1, 2, 3]
    assert not ax.collections
    plt.close("all")
    ax = plot_scores(make_scores([[3.0, 4.0], [1.0, 1.0]]))
    assert ax.collections
    plt.close("all")


def test_workers_train_on_images_of_a_folder(tmp_path):
    """Each worker process reads the images by processes of its own."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for i in range(6):
                pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / part / name / f"{i}.png")
    dataset = {"name": "image_folder", "root": tmp_path / "data", "size": 8}
    grid = Grid("g", ("Random",), (0.5,), (0, 1), dataset, Recipe(net="convnet_small", steps=2), Recipe(epochs=1))
    rows = run_grid(grid, Workers(tmp_path / "out", device="cpu", workers=2, progress=False)).frame()
    assert sorted(rows["method"]) == ["Full", "Full", "Random", "Random"]


def test_a_dynamic_method_among_subsets_is_called_one(tmp_path):
    grid = Grid("g", ("RS2",), (0.5,), (0,), {"name": "digits", "examples": 40}, Recipe(net="convnet_small", steps=2))
    store = run_grid(grid, Workers(tmp_path, device="cpu", workers=1, progress=False))
    assert "- RS2: RS2(); dynamic: each epoch has this share of the examples" in compared(store.latest())
