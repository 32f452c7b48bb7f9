"""The launcher, on the digits in a fresh interpreter."""

import re

import numpy as np
import pytest
from checkout import launch

from drd_plugin.artifacts import Subset as Selected
from drd_plugin.cli import main
from drd_plugin.data import load


@pytest.mark.parametrize(
    ("selection", "own"),
    [("EL2N", []), ("AUM+CCS[strata=5]", []), ("DRD", ["--settings", "timestep=24", "draws=1", "proxy_epochs=1"])],
)
def test_the_launcher_runs_an_unmodified_script(tmp_path, selection, own):
    save = tmp_path / "results"
    done = launch(tmp_path, "--selection", selection, "--fraction", "0.1", "--save_path", str(save), own=own)
    assert done.returncode == 0, done.stderr
    assert f"drd_plugin: {selection} = " in done.stdout
    subset = Selected.load(next(save.glob("*.subset.json")))
    assert subset.fingerprint == load("digits").train.fingerprint
    counts = np.bincount(load("digits").train.labels)
    assert np.bincount(load("digits").train.labels[subset.indices]).tolist() == [
        round(0.1 * c) for c in counts.tolist()
    ]
    assert str(len(subset)) in done.stdout.splitlines()
    assert "Best accuracy" in done.stdout


@pytest.mark.parametrize("flag", ["--method-config", "--method_config"])
def test_the_launcher_reads_a_file_of_options(tmp_path, flag):
    (tmp_path / "options.toml").write_text("[CCS]\nstrata = 4\n")
    done = launch(tmp_path, "--selection", "CCS", own=[flag, "options.toml"])
    assert done.returncode == 0, done.stderr
    assert "strata=4, " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "own", "message"),
    [
        (["--selection", "DDR"], [], "unknown method 'DDR': did you mean 'DRD'"),
        (["--selection", "CCS"], ["--settings", "strate=3"], "did you mean 'strata'"),
        (["--selection", "CCS"], ["--method-config", "nowhere.toml"], "there is no file nowhere.toml"),
        (["--selection", "Forgetting"], ["--settings", "strata=3"], "Forgetting is DeepCore's own method"),
        (["--selection", "Unifrom"], [], "DeepCore's own: "),
        (["--selection", "CCS"], ["--compat", "wings"], "unknown repair 'wings'"),
        (["--selection", "deepcore:Uniform"], [], "deepcore:Uniform is no method of this library"),
        (["--selection", "DRD[denoiser=a/b]"], [], "has a slash, and DeepCore makes file names of it"),
        ([], ["--settings", "strata=3"], "settings are those of a selection: add --selection NAME"),
    ],
)
def test_the_launcher_names_what_is_wrong(tmp_path, arguments, own, message):
    done = launch(tmp_path, *arguments, own=own)
    assert done.returncode == 1
    assert message in " ".join(re.sub("[\u2500-\u257f]", " ", done.stderr).split())
    assert "Traceback" not in done.stderr


def test_an_error_of_the_script_keeps_its_traceback(tmp_path):
    done = launch(tmp_path, "--selection", "AUM", "--dataset", "Digit")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "KeyError: 'Digit'" in done.stderr
    assert "drd-plugin doctor" in done.stderr


def test_arguments_that_are_not_behind_two_dashes_are_named():
    with pytest.raises(SystemExit, match=r"the script's own arguments \(--selection, ...\) go behind `--`"):
        main(["deepcore", "main.py", "--selection", "DRD"])


def test_a_script_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SystemExit, match="there is no script"):
        main(["deepcore", str(tmp_path / "main.py"), "--", "--selection", "DRD"])
