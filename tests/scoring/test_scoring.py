"""Scores in a folder: plans, settled timesteps and resumption. A run may die at any moment, and nothing is lost or
mixed.
"""

import json
import shutil
import time
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.core.job import Job
from drd_plugin.core.provenance import describe
from drd_plugin.diffusion import DenoiserError, InformationBottleneck, bundled, choose_timesteps, find_denoiser
from drd_plugin.diffusion.timesteps.choose import ClassSearch
from drd_plugin.scores import AUM, DRD, EL2N, ELBO, Uniform
from drd_plugin.scoring import maps, record, score
from drd_plugin.training import Recipe

QUICK = DRD(B=1, noises=1, draws=1, gamma_min=5, gamma_max=200, distance="mse")
SHORT = Recipe(net="lenet", epochs=2, batch_size=32)


def quietly(split, quick=QUICK, **rest):
    return score(split, quick, device="cpu", progress=False, **rest)


@pytest.fixture(scope="module")
def finished(some, tmp_path_factory):
    """A folder of eight parts, by the scores that it holds; tests take a copy."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(maps, "CHUNK", 20)
        return folder, quietly(some, out=folder)


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "copy")


def test_a_run_that_died_goes_on_with_what_is_missing(some, finished, tmp_path, small_chunks, monkeypatch):
    _, whole = finished
    write, written = maps.write_part, []

    def dying(folder, part, *rest):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(part)
        write(folder, part, *rest)

    monkeypatch.setattr(maps, "write_part", dying)
    with pytest.raises(KeyboardInterrupt):
        quietly(some, out=tmp_path / "cut")
    assert written == [0, 1, 2]
    with pytest.raises(ArtifactError, match="incomplete: found 3 of 8 parts"):
        Scores.load(tmp_path / "cut")
    again = []
    monkeypatch.setattr(
        maps, "write_part", lambda folder, part, *rest: (again.append(part), write(folder, part, *rest))
    )
    resumed = quietly(some, out=tmp_path / "cut")
    assert again == [3, 4, 5, 6, 7]
    assert np.allclose(resumed.estimates, whole.estimates, atol=1e-6)


def test_the_timesteps_are_settled_once(some, folder, small_chunks, monkeypatch):
    settled = json.loads((folder / "timesteps.json").read_text())
    assert len(settled["timesteps"]) == 10
    (folder / "part-00002-of-00008.parquet").unlink()
    chosen_again = "the timesteps were chosen again"
    monkeypatch.setattr("drd_plugin.diffusion.choose_timesteps", lambda *_, **__: pytest.fail(chosen_again))
    scores = quietly(some, out=folder)
    assert scores.provenance["settings"]["timesteps"] == settled["timesteps"]
    assert len(list(folder.glob("part-*"))) == 8
    with pytest.raises(pytest.fail.Exception, match=chosen_again):
        quietly(some)


def test_a_choice_of_timesteps_that_died_goes_on_with_the_classes_that_are_missing(some, tmp_path, monkeypatch):
    rule = InformationBottleneck(B=2, noises=1, gamma_min=5, gamma_max=200)
    denoiser = find_denoiser("auto", some, torch.device("cpu"))
    job = Job("cpu", progress=False)
    whole = choose_timesteps(rule, denoiser, some, 0, job)
    choose_timesteps(rule, denoiser, some, 0, job.inside(tmp_path))
    (tmp_path / "timesteps" / "class-0003.safetensors").unlink()
    search, searched = ClassSearch._search, []

    def count(self, own, *rest):
        searched.append(own)
        return search(self, own, *rest)

    monkeypatch.setattr(ClassSearch, "_search", count)
    again = choose_timesteps(rule, denoiser, some, 0, job.inside(tmp_path))
    assert searched == [3]
    assert np.array_equal(again.chosen, whole.chosen)
    assert np.allclose(again.log_posterior, whole.log_posterior)
    assert again.forwards == whole.forwards == whole.exhaustive


def test_chunks_do_not_change_scores(some, small_chunks, monkeypatch):
    elbo = ELBO(draws=1, gamma_min=0.8)
    many = quietly(some, elbo)
    monkeypatch.setattr(maps, "CHUNK", 1000)
    monkeypatch.setattr(maps, "BATCH", 7)
    one = quietly(some, elbo)
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
    with pytest.raises(ArtifactError, match="Uniform of example 25 is NaN or infinite"):
        quietly(few, Uniform(), out=tmp_path)
    assert len(list(tmp_path.glob("part-*"))) == 1


def test_a_plan_of_which_nothing_was_computed_gives_way(some, tmp_path):
    with pytest.raises(DenoiserError, match="holds no denoiser"):
        quietly(some, replace(QUICK, denoiser=str(tmp_path)), out=tmp_path / "s")
    assert len(quietly(some, replace(QUICK, timestep=2), out=tmp_path / "s")) == 150
    with pytest.raises(ArtifactError, match="other settings"):
        quietly(some, replace(QUICK, timestep=1), out=tmp_path / "s")


def test_another_denoiser_at_the_same_path_is_noticed(some, digits, tmp_path):
    shutil.copytree(bundled(digits.train.fingerprint), tmp_path / "d")
    quick = replace(QUICK, timestep=2, denoiser=str(tmp_path / "d"))
    quietly(some, quick, out=tmp_path / "s")
    weights = tmp_path / "d" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({key: 1.1 * value for key, value in load_file(weights).items()}, weights, {"format": "pt"})
    with pytest.raises(ArtifactError, match="other settings"):
        quietly(some, quick, out=tmp_path / "s")


def test_what_was_settled_without_a_plan_is_refused(some, tmp_path):
    (tmp_path / "timesteps.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"holds timesteps\.json but no plan\.json"):
        quietly(some, out=tmp_path)


def test_a_folder_that_several_versions_filled_lists_them(some, folder, small_chunks, monkeypatch):
    (folder / "part-00002-of-00008.parquet").unlink()
    monkeypatch.setattr(maps, "environment", lambda device: {"git": "another", "created": "later"})
    environments = quietly(some, out=folder).provenance["environments"]
    assert [len(environments), environments[1]["git"]] == [2, "another"]


def test_parts_without_a_plan_are_refused(few, tmp_path):
    quietly(few, Uniform(), out=tmp_path)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(ArtifactError, match=r"parquet but no plan\.json"):
        quietly(few, Uniform(), out=tmp_path)


KILLED = """
import sys
from drd_plugin import load, score
from drd_plugin.data import take
from drd_plugin.scores import DRD
from drd_plugin.scoring import maps
maps.CHUNK = maps.BATCH = 2
quick = DRD(timestep=3, draws=1, distance="mse")
score(take(load("digits").train, 150), quick, out=sys.argv[1], device="cpu", progress=False)
"""


def test_a_run_that_is_killed_ten_times_ends_with_the_same_scores(some, start, tmp_path):
    """Of 75 parts, none to three are written before each kill, and what the moment allows."""
    folder, chance = tmp_path / "killed", np.random.default_rng(0)
    for _ in range(10):
        enough = len(list(folder.glob("part-*"))) + chance.integers(4)
        program = start(KILLED, folder)
        while program.runs and len(list(folder.glob("part-*"))) < enough:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        assert program.kill() == -9, program.output
    assert 0 < len(list(folder.glob("part-*"))) < 75
    program = start(KILLED, folder)
    assert program.wait() == 0, program.output
    whole = quietly(some, DRD(timestep=3, draws=1, distance="mse"))
    assert np.allclose(Scores.load(folder).estimates, whole.estimates, atol=1e-5)


def test_a_recorded_pass_writes_a_folder_for_each_score(few, tmp_path):
    """Called by the name that was given, or after the score and its settings."""
    scores = ["AUM", "EL2N[epoch=1]", AUM("probabilities"), EL2N()]
    recorded = record(few, scores, proxy=SHORT, out=tmp_path, features=True, device="cpu", progress=False)
    [digest] = [path.name for path in tmp_path.glob("AUM-*")]
    names = ["AUM", "EL2N[epoch=1]", digest, "EL2N"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "features.safetensors"])
    alone = record(few, scores, proxy=SHORT, device="cpu", progress=False)
    for name, values, other in zip(names, recorded, alone, strict=True):
        assert np.array_equal(Scores.load(tmp_path / name).values, values.values)
        assert np.array_equal(values.values, other.values)
    kinds = [values.provenance["score"] for values in recorded]
    assert kinds == [describe(kind) for kind in (AUM(), EL2N(1), AUM("probabilities"), EL2N())]
    with pytest.raises(ArtifactError, match="made with other settings"):
        record(few, ["AUM"], proxy=SHORT.for_epochs(3), out=tmp_path, device="cpu", progress=False)


def test_features_are_kept_in_a_folder_alone(few):
    with pytest.raises(ValueError, match="features are kept in a folder: give `out`"):
        record(few, ["AUM"], proxy=SHORT, features=True)


def test_without_progress_nothing_is_printed(some, tmp_path, capfd):
    """Not by a search for timesteps, a training, or what writes, reads and merges them."""
    quick = replace(QUICK, distance="network", B=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("drd_plugin.diffusion.distance.CRITIC", Recipe(net="convnet", steps=2, evaluations=1))
        quietly(some, quick, out=tmp_path / "drd")
        quietly(some, quick)
    for out in (None, tmp_path / "aum"):
        quietly(some, AUM(), proxy=SHORT, out=out)
    record(some, ["EL2N"], proxy=SHORT, out=tmp_path / "pass", features=True, device="cpu", progress=False)
    assert tuple(capfd.readouterr()) == ("", "")
