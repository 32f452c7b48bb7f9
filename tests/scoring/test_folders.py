"""Folders of scores that are damaged, finished and read only, or cannot be written; seeds of 64 bits."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.core.job import Job
from drd_plugin.scores import AUM, DRD, Uniform
from drd_plugin.scoring import merge, record, score, score_shard, verify
from drd_plugin.scoring.folder import read_plan
from drd_plugin.scoring.recording import proxy_seed
from drd_plugin.training import Recipe

QUIET = {"device": "cpu", "progress": False}
SHORT = Recipe(net="lenet", epochs=1, batch_size=64)


@pytest.fixture(scope="module")
def finished(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "uniform"
    score(few, Uniform(), out=folder, **QUIET)
    return folder


@pytest.mark.parametrize(
    "content", ["", "[]", "3", '{"score": ', "null", '{"score": 3}', '{"inputs": []}', '{"a": 1, "a": 1}']
)
def test_a_damaged_plan_is_named_by_all_that_read_it(few, finished, tmp_path, content):
    folder = shutil.copytree(finished, tmp_path / "damaged")
    (folder / "plan.json").write_text(content)
    for use in (
        lambda: read_plan(folder),
        lambda: score(few, Uniform(), out=folder, **QUIET),
        lambda: merge([folder, finished], tmp_path / "merged"),
        lambda: verify(few, folder, **QUIET),
    ):
        with pytest.raises(ArtifactError, match=r"damaged/plan\.json"):
            use()
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_at_the_head_of_a_plan_does_not_matter(few, finished, tmp_path, encoding):
    folder = shutil.copytree(finished, tmp_path / "marked")
    (folder / "plan.json").write_text((folder / "plan.json").read_text(), encoding)
    assert np.array_equal(score(few, Uniform(), out=folder, **QUIET).values, Scores.load(finished).values)


@pytest.mark.parametrize("content", ["", "[]", '{"timesteps": ', '{"window": [1]}'])
def test_damaged_timesteps_are_named(few, tmp_path, content):
    (tmp_path / "plan.json").write_text("{}")
    (tmp_path / "timesteps.json").write_text(content)
    drd = DRD(B=1, noises=1, draws=1, gamma_min=5, gamma_max=200, distance="mse", denoiser="auto")
    with pytest.raises(ArtifactError, match=r"timesteps\.json (cannot be read|holds|does not say the timesteps)"):
        drd._starts(None, few, 0, Job(folder=tmp_path))


def test_what_is_finished_is_read_where_nothing_can_be_written(few, finished, tmp_path, monkeypatch):
    folder = shutil.copytree(finished, tmp_path / "read only")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Path, "touch", refuse)
    score(few, Uniform(), out=folder, **QUIET)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize("place", ["file", "file/x", "/proc/x/y"])
@pytest.mark.parametrize("name", ["Uniform", "AUM"])
def test_a_place_that_cannot_be_written_is_found_out_before_the_work(few, tmp_path, monkeypatch, place, name):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("drd_plugin.scoring.proxy.train", lambda *_, **__: pytest.fail("it trains"))
    monkeypatch.setattr("drd_plugin.scoring.maps.ChunkScorer", lambda *_, **__: pytest.fail("it scores"))
    with pytest.raises(ArtifactError, match="cannot be written"):
        score(few, name, out=tmp_path / place, proxy=SHORT, **QUIET)
    if name == "AUM":
        with pytest.raises(ArtifactError, match="cannot be written"):
            record(few, [name], out=tmp_path / place, proxy=SHORT, features=True, **QUIET)


def test_strange_files_beside_the_parts_do_not_matter(few, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "copy")
    (folder / "part-of-something.parquet").write_bytes(b"")
    (folder / ".plan.json.lock").write_text("")
    assert len(score(few, Uniform(), out=folder, **QUIET)) == len(few)


@pytest.mark.parametrize("seed", [2**64, -1, 1.0, True, "0", None])
@pytest.mark.parametrize(
    "use",
    [
        lambda split, seed: score(split, "Uniform", seed=seed, **QUIET),
        lambda split, seed: score(split, "AUM", seed=seed, proxy=SHORT, **QUIET),
        lambda split, seed: score(split, "DRD", seed=seed, **QUIET),
        lambda split, seed: score_shard(split, "Uniform", (0, 1), out=Path("out"), seed=seed, **QUIET),
        lambda split, seed: record(split, ["AUM", "EL2N"], seed=seed, proxy=SHORT, **QUIET),
        lambda split, seed: record(split, ["AUM"], seed=seed, proxy=SHORT, out=Path("out"), **QUIET),
    ],
)
def test_a_seed_that_is_none_is_refused_at_once(few, tmp_path, monkeypatch, use, seed):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="a seed is a non-negative integer below"):
        use(few, seed)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3), 2**64 - 1, 2**63, np.uint64(2**64 - 1)], ids=repr)
def test_every_seed_of_64_bits_works_in_memory_and_in_folders(few, tmp_path, seed):
    for name in ("Uniform", "AUM"):
        alone = score(few, name, seed=seed, proxy=SHORT, **QUIET)
        stored = score(few, name, seed=seed, proxy=SHORT, out=tmp_path / name, **QUIET)
        assert np.array_equal(alone.values, stored.values)
        assert json.loads((tmp_path / name / "plan.json").read_text())["seed"] == int(seed)


def test_proxies_of_different_passes_have_different_seeds():
    """For seeds below 2^32 as it always was: the number in the upper half."""
    seeds = [0, 1, 7, 2**32 - 1, 2**32, 2**32 + 7, 2**33, 2**63, 2**64 - 1]
    proxies = [proxy_seed(seed, number) for seed in seeds for number in range(4)]
    assert len(set(proxies)) == len(proxies)
    assert all(0 <= proxy < 2**64 for proxy in proxies)
    assert [proxy_seed(7, number) for number in range(3)] == [7, 7 + 2**32, 7 + 2**33]


def test_scores_of_proxies_with_one_seed_do_not_move(few):
    """What was computed before the seeds grew; the scores are those of seeds 5 and 5 + 2^32."""
    both = score(few, AUM(proxies=2), seed=5, proxy=SHORT, **QUIET).estimates
    first = score(few, AUM(), seed=5, proxy=SHORT, **QUIET).estimates
    assert np.array_equal(both[:, :1], first)
