"""What commands find out before they load or compute anything: seeds, fractions, and places that cannot be written."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from drd_plugin.artifacts import Scores, Subset
from drd_plugin.cli import main

DATA = ["--dataset", "digits"]
SEEDED = {
    "score Uniform": ["score", "Uniform", *DATA, "--out", "out"],
    "score AUM": ["score", "AUM", *DATA, "--out", "out"],
    "score DRD": ["score", "DRD", *DATA, "--out", "out"],
    "score ELBO --dry-run": ["score", "ELBO", *DATA, "--out", "out", "--dry-run"],
    "record": ["record", *DATA, "--out", "out"],
    "timestep": ["timestep", *DATA, "--cache", "out"],
    "fit": ["fit", *DATA, "--out", "out"],
    "factors": ["factors", *DATA, "--out", "out"],
    "select": ["select", "--scores", "scores", "--strategy", "CCS[cutoff=0.0]", "--fraction", "0.5", "--out", "out"],
    "bench": ["bench", "main", "--out", "out"],
}  # fmt: skip


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """What a command prints when it refuses in an empty folder, before it loads data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("drd_plugin.cli.data.load", lambda *_, **__: pytest.fail("it loads data"))
    monkeypatch.setattr("drd_plugin.bench.grid.load", lambda *_, **__: pytest.fail("it loads data"))
    Scores("Mine", np.arange(20.0)[:, None], np.arange(20) % 4, True, "made:up", {"dataset": "digits"}).save(
        tmp_path / "scores"
    )
    (tmp_path / "file").write_text("x")
    before = sorted(tmp_path.rglob("*"))

    def answer(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([*map(str, arguments)])
        assert sorted(tmp_path.rglob("*")) == before, "nothing is written by a command that could not start"
        assert str(stopped.value.code).startswith("drd-plugin: ")
        return f"{stopped.value.code} {capsys.readouterr().err}"

    return answer


@pytest.mark.parametrize("seed", [-1, 2**64, 10**30])
@pytest.mark.parametrize("command", SEEDED)
def test_a_seed_that_is_none_is_refused(refused, command, seed):
    flag = "--seeds" if command == "bench" else "--seed"
    words = r"Fit\.seed|seeds?: a seed is a non-negative integer below"
    assert re.search(words, refused(*SEEDED[command], flag, seed))


@pytest.mark.parametrize("place", ["file/x", "file/x/y", "n" * 300, "/proc/x"])
@pytest.mark.parametrize("command", [command for command in SEEDED if "dry-run" not in command])
def test_a_place_that_cannot_be_written_is_refused(refused, command, place):
    arguments = [place if argument == "out" else argument for argument in SEEDED[command]]
    assert f"{place} cannot be written" in refused(*arguments)


@pytest.mark.parametrize("command", ["score AUM", "record", "fit", "factors", "bench", "timestep"])
def test_so_is_a_file_in_the_place_of_a_folder(refused, command):
    arguments = ["file" if argument == "out" else argument for argument in SEEDED[command]]
    assert "file is not a folder" in refused(*arguments)


def test_so_are_folders_in_the_place_of_files(refused):
    assert "scores is a folder" in refused(*SEEDED["select"][:-1], "scores")
    assert "scores is a folder" in refused(*SEEDED["timestep"], "--plot", "scores")
    assert "report" in refused("report", "scores", "--out", "file/report.html")
    assert "no picture is written with this ending" in refused(*SEEDED["timestep"], "--plot", "curves.xyz")


@pytest.mark.parametrize("fraction", ["0", "-0.5", "1.5", "nan", "inf", "1e-6"])
def test_a_fraction_that_is_none_or_keeps_nothing_is_refused(refused, fraction):
    arguments = [fraction if argument == "0.5" else argument for argument in SEEDED["select"]]
    assert "fraction" in refused(*arguments)


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("CCS[variant=drd,cutoff=0.0]", "leaves no example of class"),
        ("Window[ranking=class]", "leaves no example of class"),
        ("BWS", "leaves no example of class"),
        ("DRoP", "at least one example a class"),
        ("Window[start=0.95]", "reaches beyond"),
    ],
)
def test_so_is_one_that_does_not_suffice_for_the_strategy(refused, strategy, words):
    fraction = "0.5" if "start" in strategy else "0.1"
    select = ["select", "--scores", "scores", "--strategy", strategy, "--fraction", fraction, "--out", "out"]
    assert words in refused(*select)


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "Uniform", *DATA, "--out", "out", "--seed", "1.5"],
        ["score", "Uniform", *DATA, "--out", "out", "--seed", "true"],
        ["score", "Uniform", *DATA, "--out", "out", "--frob", "3"],
        ["score", "DRD", *DATA, "--out", "out", "--solver", "foo"],
        ["select", "--scores", "scores"],
        ["bench", "main", "--seeds", "a"],
        ["bench", "main", "--fractions", "half"],
        ["frobnicate"],
        [],
    ],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_read_ends_as_every_other_refusal(refused, arguments):
    assert refused(*arguments).startswith("drd-plugin: this command line cannot be read, as said above.")


def test_all_refusals_have_the_same_exit_code(tmp_path):
    commands = (["--seed", "x"], ["--seed", "-1"], ["--seed", str(2**64)], ["--out", "/dev/null/x"])
    for more in commands:
        command = [sys.executable, "-m", "drd_plugin", "score", "Uniform", *DATA, "--out", "out", *more]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith("drd-plugin: ")


@pytest.mark.parametrize("name", ["grid.json", "card.json", "factors.json", "subset.json"])
@pytest.mark.parametrize("content", ["", "[]", "3", '{"a": ', "null", '{"a": 1, "a": 2}'])
def test_damaged_json_is_named_by_show(refused, tmp_path, monkeypatch, capsys, name, content):
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(SystemExit, match=rf"^drd-plugin: .*{re.escape(name)}"):
        main(["show", str(folder / name if name == "subset.json" else folder)])


def test_a_mark_at_the_head_of_our_json_does_not_matter(tmp_path, capsys):
    path = tmp_path / "subset.json"
    Subset(np.arange(5), 20, "Mine", "made:up").save(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    main(["show", str(path)])
    assert "5 of 20" in capsys.readouterr().out
    (tmp_path / "card.json").write_text(json.dumps({"parameters": 3}), "utf-16")
    main(["show", str(tmp_path)])
    assert "parameters" in capsys.readouterr().out
