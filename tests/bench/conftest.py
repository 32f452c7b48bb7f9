"""What the tests of the harness share: where a small study works, and rows of results written by hand."""

import json

import pytest

from drd_plugin.artifacts import Run
from drd_plugin.bench import Workers
from drd_plugin.core.provenance import describe, environment
from drd_plugin.methods import parse
from drd_plugin.training import PROXY, Recipe


@pytest.fixture
def workers(tmp_path):
    """One worker on the CPU, whose results go to a new folder."""
    return Workers(tmp_path / "out", device="cpu", workers=1, progress=False)


@pytest.fixture(scope="session")
def make_run():
    """A row of results; what stands in `chosen` is what its strategy settled on."""

    def make(method, fraction, seed, accuracy, net="convnet", chosen=None, spec=None, **fields):
        if spec is None and method != "Full":
            spec = parse(method).spec
        provenance = {
            "environment": environment("cpu"), "seeds": {"init": seed, "noise": 0}, "recipe": describe(Recipe()),
            "proxy": describe(PROXY), "method": spec and describe(spec),
        }  # fmt: skip
        values = {
            "key": f"{method}{fraction}{seed}{net}", "method": method, "fraction": fraction, "seed": seed, "net": net,
            "k": int(1000 * fraction), "dataset": "made up", "fingerprint": "made:up", "acc_last": accuracy,
            "acc_best": accuracy + 1, "step_best": 3, "steps": 5, "examples_seen": 50, "seconds_score": 1.0,
            "seconds_select": 2.0, "seconds_train": 3.0, "device": "cpu", "chosen": json.dumps(chosen or {}),
            "provenance": json.dumps(provenance),
        }  # fmt: skip
        return Run(**{**values, **fields})

    return make
