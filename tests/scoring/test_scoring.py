"""Parts, plans and resumption: a scoring run may die at any moment, and nothing is lost or mixed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.diffusion import choose_timesteps
from drd_plugin.diffusion.denoisers.base import DenoiserError
from drd_plugin.diffusion.denoisers.load import BUNDLED, find_denoiser
from drd_plugin.diffusion.timesteps import choose as class_search
from drd_plugin.diffusion.timesteps.rule import InformationBottleneck
from drd_plugin.scores import DRD, ELBO, Uniform
from drd_plugin.scoring import maps as parts
from drd_plugin.scoring.compute import score

DENOISER = str(BUNDLED / "digits")
QUICK = DRD(B=1, noises=1, draws=1, gamma_min=0.5, distance="mse", denoiser=DENOISER)


@pytest.fixture
def small_chunks(monkeypatch):
    """Eight parts of `few`."""
    monkeypatch.setattr(parts, "CHUNK", 20)


def test_a_run_that_died_goes_on_with_what_is_missing(few, tmp_path, small_chunks, monkeypatch):
    whole = score(few, QUICK, out=tmp_path / "whole", device="cpu", progress=False)
    write, written = parts.write_part, []

    def dying(folder, part, *rest):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(part)
        write(folder, part, *rest)

    monkeypatch.setattr(parts, "write_part", dying)
    with pytest.raises(KeyboardInterrupt):
        score(few, QUICK, out=tmp_path / "cut", device="cpu", progress=False)
    assert written == [0, 1, 2]
    with pytest.raises(ArtifactError, match="incomplete: found 3 of 8 parts"):
        Scores.load(tmp_path / "cut")
    again = []
    monkeypatch.setattr(
        parts, "write_part", lambda folder, part, *rest: (again.append(part), write(folder, part, *rest))
    )
    resumed = score(few, QUICK, out=tmp_path / "cut", device="cpu", progress=False)
    assert again == [3, 4, 5, 6, 7]
    assert np.allclose(resumed.estimates, whole.estimates, atol=1e-6)


def test_the_timesteps_are_settled_once(few, tmp_path, small_chunks, monkeypatch):
    score(few, QUICK, out=tmp_path, device="cpu", progress=False)
    settled = json.loads((tmp_path / "timesteps.json").read_text())
    assert len(settled["timesteps"]) == 10
    (tmp_path / "part-00002-of-00008.parquet").unlink()
    monkeypatch.setattr(DRD, "choose", lambda *_: pytest.fail("the timesteps were chosen again"))
    scores = score(few, QUICK, out=tmp_path, device="cpu", progress=False)
    assert scores.provenance["settings"]["timesteps"] == settled["timesteps"]


def test_a_choice_of_timesteps_that_died_goes_on_with_the_classes_that_are_missing(digits, tmp_path, monkeypatch):
    rule, device = InformationBottleneck(B=2, noises=1), torch.device("cpu")
    denoiser = find_denoiser("auto", digits.train, device)
    whole = choose_timesteps(rule, denoiser, digits.train, 0, device, progress=False)
    choose_timesteps(rule, denoiser, digits.train, 0, device, progress=False, cache=tmp_path)
    (tmp_path / "timesteps" / "class-0003.safetensors").unlink()
    find, asked = class_search.ClassSearch.find, []

    def count(self, own, *rest):
        asked.append(own)
        return find(self, own, *rest)

    monkeypatch.setattr(class_search.ClassSearch, "find", count)
    again = choose_timesteps(rule, denoiser, digits.train, 0, device, progress=False, cache=tmp_path)
    assert asked == [3]
    assert np.allclose(again.log_posterior, whole.log_posterior)
    assert again.forwards == whole.forwards == whole.exhaustive


def test_chunks_do_not_change_scores(few, small_chunks, monkeypatch):
    what = ELBO(draws=1, denoiser=DENOISER)
    many = score(few, what, device="cpu", progress=False)
    monkeypatch.setattr(parts, "CHUNK", 1000)
    monkeypatch.setattr(parts, "BATCH", 7)
    one = score(few, what, device="cpu", progress=False)
    assert np.allclose(many.estimates, one.estimates, atol=1e-3)
    assert np.allclose(many.estimates, one.estimates, rtol=1e-4)


def test_a_nan_score_names_its_example_and_is_not_written(few, tmp_path, small_chunks, monkeypatch):
    class Broken:
        settings = types.MappingProxyType({})

        def __call__(self, images, labels, index):
            values = torch.rand(len(index), 1)
            values[index == 25] = torch.nan
            return values

    monkeypatch.setattr(Uniform, "prepare", lambda *_, **__: Broken())
    with pytest.raises(ArtifactError, match="NaN or infinite"):
        score(few, Uniform(), out=tmp_path, progress=False)
    assert len(list(tmp_path.glob("part-*"))) == 1


def test_a_plan_of_which_nothing_was_computed_gives_way(few, tmp_path):
    with pytest.raises(DenoiserError, match="holds no denoiser"):
        score(few, replace(QUICK, denoiser=str(tmp_path)), out=tmp_path / "s", device="cpu", progress=False)
    assert len(score(few, replace(QUICK, timestep=20), out=tmp_path / "s", device="cpu", progress=False)) == 150
    with pytest.raises(ArtifactError, match="other settings"):
        score(few, replace(QUICK, timestep=19), out=tmp_path / "s", device="cpu", progress=False)


def test_another_denoiser_at_the_same_path_is_noticed(few, tmp_path):
    shutil.copytree(DENOISER, tmp_path / "d")
    what = replace(QUICK, timestep=20, denoiser=str(tmp_path / "d"))
    score(few, what, out=tmp_path / "s", device="cpu", progress=False)
    weights = tmp_path / "d" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({key: 1.1 * value for key, value in load_file(weights).items()}, weights, {"format": "pt"})
    with pytest.raises(ArtifactError, match="other settings"):
        score(few, what, out=tmp_path / "s", device="cpu", progress=False)


def test_what_was_settled_without_a_plan_is_refused(few, tmp_path):
    (tmp_path / "timesteps.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"holds timesteps\.json but no plan\.json"):
        score(few, QUICK, out=tmp_path, device="cpu", progress=False)


def test_a_folder_that_several_versions_filled_lists_them(few, tmp_path, small_chunks, monkeypatch):
    score(few, QUICK, out=tmp_path, device="cpu", progress=False)
    (tmp_path / "part-00002-of-00008.parquet").unlink()
    monkeypatch.setattr(parts, "environment", lambda device: {"git": "another", "created": "later"})
    made = score(few, QUICK, out=tmp_path, device="cpu", progress=False).provenance["environments"]
    assert [len(made), made[1]["git"]] == [2, "another"]


def test_parts_without_a_plan_are_refused(few, tmp_path):
    score(few, Uniform(), out=tmp_path, progress=False)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(ArtifactError, match=r"parquet but no plan\.json"):
        score(few, Uniform(), out=tmp_path, progress=False)


SCRIPT = """
import sys
from drd_plugin import engine, parts
from drd_plugin.data import load
from drd_plugin.scores import DRD
parts.CHUNK = parts.BATCH = 40
score = DRD(timestep=15, draws=1, distance="mse")
engine.score(load("digits").train, score, out=sys.argv[1], device="cpu", progress=False)
"""


def test_a_run_that_is_killed_ten_times_ends_with_the_same_scores(digits, tmp_path):
    command, chance = [sys.executable, "-c", SCRIPT, str(tmp_path / "killed")], np.random.default_rng(0)
    for _ in range(10):
        wanted = len(list((tmp_path / "killed").glob("part-*"))) + chance.integers(4)
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        while process.poll() is None and len(list((tmp_path / "killed").glob("part-*"))) < wanted:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True)
    what = DRD(timestep=15, draws=1, distance="mse")
    whole = score(digits.train, what, device="cpu", progress=False)
    assert np.allclose(Scores.load(tmp_path / "killed").estimates, whole.estimates, atol=1e-5)
