"""Two processes with one --out: one of them is refused, at once; a killed one is in nobody's way."""

import re
import subprocess
import sys
import time

import numpy as np
import pytest

from drd_plugin.artifacts import Scores
from drd_plugin.cli import main

DATA = ["--dataset", "digits"]
PROXY = ["--net", "lenet", "--epochs"]
QUICK = ["--B", "1", "--noises", "1", "--gamma-min", "20", "--gamma-max", "200", "--distance", "mse", "--draws"]
COMMANDS = {
    "score AUM": (["score", "AUM", *DATA, *PROXY], ["2000"], ["1"], "out/.plan.json.lock"),
    "score DRD": (["score", "DRD", *DATA, *QUICK], ["64"], ["1"], "out/.plan.json.lock"),
    "record": (["record", *DATA, "--scores", "AUM", *PROXY], ["2000"], ["1"], "out/AUM/.plan.json.lock"),
    "fit": (["fit", *DATA, "--channels", "8", "16", "--samples", "0", "--epochs"], ["900"], ["1"], ".out.lock"),
    "factors": (
        ["factors", *DATA, "--proxy.net", "lenet", "--proxy.epochs"], ["900"],
        ["1", "--units", "16", "--k", "2", "--steps", "3"], "out/.factors.json.lock",
    ),
    "select": (
        ["select", "--scores", "scores", "--strategy", "BestWindow[selector=train]", "--fraction", "0.1", "--net",
         "lenet", "--steps"], ["9000"], ["1"], ".out.lock",
    ),
}  # fmt: skip


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Begins a command in a process of its own, which holds its claim from then on."""
    monkeypatch.chdir(tmp_path)
    started = []

    def begin(arguments, lock):
        command = [sys.executable, "-m", "drd_plugin", *arguments, "--out", "out"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        end = time.monotonic() + 120
        while not ((tmp_path / lock).exists() and (tmp_path / lock).read_text()):
            assert process.poll() is None, "it ended too soon"
            assert time.monotonic() < end
            time.sleep(0.05)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def scores(digits, tmp_path):
    train = digits.train
    values = np.arange(float(len(train)))[:, None]
    made = Scores("Mine", values, train.labels, True, train.fingerprint, {"dataset": "digits"})
    made.save(tmp_path / "scores")
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_the_second_of_two_is_refused(command, begun, scores, tmp_path, capsys):
    common, long, short, lock = COMMANDS[command]
    process = begun([*common, *long], lock)
    with pytest.raises(SystemExit) as refused:
        main([*common, *short, "--seed", "1", "--out", "out"])
    words = rf"^drd-plugin: another process \({process.pid} on .*\) is writing .*: wait until it has ended, or give"
    assert re.search(words, str(refused.value.code)), refused.value.code
    assert process.poll() is None, "the first goes on"
    process.kill()
    process.wait()
    main([*common, *short, "--seed", "1", "--out", "out"])
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".lock", ".tmp"))]


def test_shards_share_their_folder_and_the_rest_is_refused(begun, tmp_path, capsys):
    shard = ["score", "DRD", *DATA, *QUICK, "4", "--shard"]
    process = begun([*shard, "0/2"], "out/.plan.json.lock")
    main([*shard, "1/2", "--out", "out"])
    with pytest.raises(SystemExit, match=r"another process|other settings \(seed: 0, not 1\)"):
        main([*shard, "1/2", "--out", "out", "--seed", "1"])
    assert process.wait() == 0
    assert len(Scores.load(tmp_path / "out")) == 1437
    assert not (tmp_path / "out" / ".plan.json.lock").exists()
