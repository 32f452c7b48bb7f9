"""A folder of results that is damaged, full, or filled by two processes; seeds of 64 bits; fractions too small."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bench import Grid, GridError, RunStore, find_experiment, read_results, run_experiment, run_grid
from drd_plugin.bench.studies.cross_evaluation import CrossEvaluation
from drd_plugin.bench.studies.separation import Separation
from drd_plugin.training import Recipe

QUICK = """
methods = ["Random"]
fractions = [0.5]
seeds = [0]
dataset = {name = "digits", examples = 60}
recipe = {net = "lenet", steps = 2}
proxy = {epochs = 1}
"""
ONE_WORKER = {"device": "cpu", "workers": 1, "progress": False}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    path = tmp_path_factory.mktemp("quick") / "quick.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture
def finished(quick, tmp_path, make_run):
    """A folder with the rows of a finished experiment, made up."""
    grid = find_experiment(quick).grid
    store = RunStore(tmp_path, {**grid.identity, "fingerprint": grid.load().train.fingerprint})
    with store.filling():
        for run in (make_run("Full", 1.0, 0, 90), make_run("Random", 0.5, 0, 50)):
            store.append(run)
    return tmp_path


@pytest.mark.parametrize("content", ["", "[]", "3", '"x"', '{"seconds": 1', '{"a": 1, "a": 2}'])
@pytest.mark.parametrize("name", ["about.json", "left_out.json", "grid.json"])
def test_damaged_json_is_named_before_anything_is_computed(finished, quick, monkeypatch, name, content):
    monkeypatch.setattr("drd_plugin.bench.run._run", lambda *_: pytest.fail("it runs"))
    (finished / name).write_text(content)
    for use in (lambda: run_experiment(quick, out=finished, seeds=(1,), **ONE_WORKER), lambda: read_results(finished)):
        with pytest.raises(ArtifactError, match=rf"{name} (cannot be read as JSON|holds .*, and no table)"):
            use()


@pytest.mark.parametrize("name", ["about.json", "grid.json"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_in_it_does_not_matter(finished, quick, name, encoding):
    text = read_results(finished).tables
    (finished / name).write_text((finished / name).read_text(), encoding)
    assert read_results(finished).tables == text
    RunStore(finished, json.loads(json.dumps(RunStore(finished).grid)))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_damaged_rows_are_named(finished, content):
    (finished / "runs" / "all.parquet").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"all\.parquet is damaged .*: remove it and run the grid again"):
        read_results(finished)


def test_rows_of_something_else_are_named(finished):
    pd.DataFrame({"x": [1]}).to_parquet(finished / "runs" / "other.parquet")
    with pytest.raises(ArtifactError, match=r"other\.parquet is damaged \(it has no column key\)"):
        RunStore(finished).frame()


def test_a_full_disk_leaves_the_rows_and_names_the_file(finished, make_run, monkeypatch):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}

    def full(self, path, **_):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    store = RunStore(finished)
    with pytest.raises(OSError, match=r"runs/\S+\.parquet cannot be written \(No space left on device\)"):
        store.append(make_run("Random", 0.5, 1, 51))
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


FILLING = """
import sys, time
from drd_plugin.bench import RunStore
with RunStore(sys.argv[1], {"name": sys.argv[2]}).filling():
    print("filling", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["mine", "another"])
def test_a_folder_that_is_being_filled_is_refused_and_left_alone(tmp_path, make_run, name):
    """For the same settings too, since two processes that join rows would lose some."""
    with subprocess.Popen([sys.executable, "-c", FILLING, tmp_path, "mine"], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"filling\n"
        with pytest.raises(ArtifactError, match=rf"another process \({other.pid} on"):
            RunStore(tmp_path, {"name": name})
        assert RunStore(tmp_path).grid == {"name": "mine"}
        other.kill()
    store = RunStore(tmp_path, {"name": name})
    with store.filling():
        store.append(make_run("Full", 1.0, 0, 90))
    assert (len(store.frame()), store.grid) == (1, {"name": name})
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_another_process_took_meanwhile_is_refused(tmp_path):
    mine = RunStore(tmp_path, {"name": "mine"})
    with RunStore(tmp_path, {"name": "other"}).filling():
        pass
    with pytest.raises(ArtifactError, match="holds the runs of another grid"), mine.filling():
        pytest.fail("the folder is another grid's")


def test_two_benches_into_one_folder(quick, tmp_path):
    """One of them is refused; the other's rows are complete."""
    program = "import sys; from drd_plugin.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "bench", quick, "--out", "out", "--workers", "1", "--seeds"]
    running = [
        subprocess.Popen([*command, *seeds], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seeds in (["0", "1", "2"], ["3", "4", "5"])
    ]
    said = [process.communicate()[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1], said
    [refused] = [text for text in said if "drd-plugin: " in text]
    assert "another process" in refused
    assert "Traceback" not in refused
    rows = RunStore(tmp_path / "out").frame()
    assert len(rows) == 2 * 3
    assert set(rows["seed"]) in ({0, 1, 2}, {3, 4, 5})


def test_rows_of_small_and_of_large_seeds_keep_them(tmp_path, make_run):
    seeds = [0, 2**53 + 1, 2**63, 2**64 - 1]
    store = RunStore(tmp_path, {"name": "mine"})
    with store.filling():
        for seed in seeds:
            store.append(make_run("Full", 1.0, seed, 90))
    assert [*store.frame()["seed"]] == seeds
    assert [*store.latest()["seed"]] == seeds


@pytest.fixture
def grid():
    settings = {"recipe": Recipe(net="lenet", steps=2), "proxy": Recipe(net="lenet", epochs=1)}
    return Grid("small", ("Random",), (0.5,), (0,), {"name": "digits", "examples": 60}, **settings)


def test_a_seed_of_64_bits_runs_with_scores_of_every_kind(grid, workers):
    grid = replace(grid, methods=("AUM", "RS2"), seeds=(0, 2**64 - 1))
    rows = run_grid(grid, workers).frame()
    assert set(rows["seed"]) == {0, 2**64 - 1}
    assert len(rows) == 6


@pytest.mark.parametrize("fraction", [1e-6, 0.008])
@pytest.mark.parametrize("method", ["Random", "RS2"])
def test_a_fraction_that_keeps_none_is_refused_before_the_first_run(grid, workers, monkeypatch, method, fraction):
    monkeypatch.setattr("drd_plugin.bench.session.train", lambda *_, **__: pytest.fail("it trains"))
    with pytest.raises(ValueError, match=rf"the fraction {fraction} of 60 examples keeps none"):
        run_grid(replace(grid, methods=(method,), fractions=(0.5, fraction)), workers)
    assert not workers.out.exists()


def test_a_fraction_too_small_for_a_method_leaves_that_out_and_says_so(grid, workers, caplog):
    methods = ("Random", "AUM+Window[ranking=class]", "Random+Window[start=0.9]", "AUM+BWS", "DRoP")
    with caplog.at_level("WARNING"):
        store = run_grid(replace(grid, methods=methods, fractions=(0.1, 0.5), seeds=(0, 1)), workers)
    small = {"AUM+Window[ranking=class] 10 %", "AUM+BWS 10 %", "DRoP 10 %"}
    assert {*store.left_out} == small | {"Random+Window[start=0.9] 50 %"}
    assert caplog.text.count("leaves no example of class") == 2
    rows = store.frame()
    assert {*rows.loc[rows["fraction"] == 0.1, "method"]} == {"Random", "Random+Window[start=0.9]"}
    assert "Left out: AUM+Window[ranking=class] 10 % (keeping 6 of 60 examples leaves no example of class" in (
        read_results(workers.out).text
    )


@pytest.mark.parametrize(
    ("study", "words"), [(Separation(strata=40), "give fewer strata"), (CrossEvaluation(parts=61), "give fewer parts")]
)
def test_so_are_studies_with_more_parts_than_examples(grid, workers, monkeypatch, study, words):
    monkeypatch.setattr("drd_plugin.bench.session.train", lambda *_, **__: pytest.fail("it trains"))
    with pytest.raises(GridError, match=words):
        study.run(grid, workers)


def test_rows_of_another_identity_are_refused_to_the_letter(finished):
    """A recipe whose numbers are equal, but of another type, names other rows."""
    identity = RunStore(finished).grid
    RunStore(finished, identity)
    for steps in (2.0, 3):
        with pytest.raises(ArtifactError, match="another grid"):
            RunStore(finished, {**identity, "recipe": {**identity["recipe"], "steps": steps}})
