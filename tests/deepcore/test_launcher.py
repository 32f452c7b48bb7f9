"""The launcher, on the digits: in a fresh interpreter, and in this one where that shows as much."""

import re

import numpy as np
import pytest
from checkout import launch

from drd_plugin.artifacts import Subset
from drd_plugin.cli import main


def check_selection(done, folder, selection, train):
    """That the script trained on a tenth of each class, which is stored as a subset of the data set."""
    assert done.returncode == 0, done.stderr
    subset = Subset.load(next(folder.glob("*.subset.json")))
    assert (subset.method, subset.fingerprint) == (selection, train.fingerprint)
    expected = [round(0.1 * count) for count in np.bincount(train.labels).tolist()]
    assert np.bincount(train.labels[subset.indices]).tolist() == expected
    assert str(len(subset)) in done.stdout.splitlines()
    assert "Best accuracy" in done.stdout


def test_the_launcher_runs_an_unmodified_script(tmp_path, digits):
    """With DRD's own distance; what the library logs is on the terminal."""
    own = ["--settings", "timestep=3", "draws=1", "proxy_epochs=1"]
    done = launch(tmp_path, "--selection", "DRD", "--fraction", "0.1", "--save_path", "results", own=own)
    check_selection(done, tmp_path / "results", "DRD", digits.train)
    settings, windows, place = (line for line in done.stderr.splitlines() if line.startswith(("DRD ", "the subset ")))
    assert re.match(r"DRD = DRD\(.*timestep=3, .*BestWindow\(.*proxy_epochs=1.*, on (cpu|cuda)", settings)
    assert "windows were judged at" in windows
    assert place.startswith("the subset and its provenance are in results/DRD_0.1_seed")


@pytest.mark.parametrize(
    ("selection", "own", "message"),
    [
        ("AUM+CCS[strata=5]", [], "strata=5, "),
        ("CCS", ["--method-config", "options.toml"], "strata=4, "),
        ("CCS", ["--method_config", "options.toml"], "strata=4, "),
    ],
)
def test_a_selection_has_settings(tmp_path, digits, launch_in_process, caplog, selection, own, message):
    (tmp_path / "options.toml").write_text("[CCS]\nstrata = 4\n")
    done = launch_in_process("--selection", selection, "--fraction", "0.1", "--save_path", "results", own=own)
    check_selection(done, tmp_path / "results", selection, digits.train)
    [line] = [line for line in caplog.messages if line.startswith(f"{selection} = ")]
    assert message in line


@pytest.mark.parametrize(
    ("arguments", "own", "message"),
    [
        (["--selection", "DDR"], [], "unknown method 'DDR': did you mean 'DRD'"),
        (["--selection", "CCS"], ["--settings", "strate=3"], "did you mean 'strata'"),
        (["--selection", "CCS"], ["--method-config", "nowhere.toml"], "there is no file nowhere.toml"),
        (["--selection", "CCS"], ["--method_config", "nowhere.toml"], "there is no file nowhere.toml"),
        (["--selection", "Forgetting"], ["--settings", "strata=3"], "Forgetting is DeepCore's own method"),
        (["--selection", "Unifrom"], [], "DeepCore's own: "),
        (["--selection", "CCS"], ["--compat", "wings"], "unknown repair 'wings'"),
        (["--selection", "deepcore:Uniform"], [], "deepcore:Uniform is no method of this library"),
        (["--selection", "DRD[denoiser=a/b]"], [], "has a slash, and DeepCore makes file names of it"),
        ([], ["--settings", "strata=3"], "settings are those of a selection: add --selection NAME"),
    ],
)
def test_the_launcher_names_what_is_wrong(launch_in_process, arguments, own, message):
    check_message(launch_in_process(*arguments, own=own), message)


def test_a_fresh_launcher_names_what_is_wrong(tmp_path):
    check_message(launch(tmp_path, "--selection", "DDR"), "unknown method 'DDR': did you mean 'DRD'")


def check_message(done, message):
    """That the process ended with this message alone."""
    assert done.returncode == 1
    assert message in " ".join(re.sub("[\u2500-\u257f]", " ", done.stderr).split())
    assert "Traceback" not in done.stderr


def test_an_error_of_the_script_keeps_its_traceback(launch_in_process):
    done = launch_in_process("--selection", "AUM", "--dataset", "Digit")
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
