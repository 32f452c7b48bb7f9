"""Many processes, job arrays, merging, verifying and forecasting."""

import json
import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.artifacts.files import save_tensors
from drd_plugin.cli import main
from drd_plugin.core.team import Team
from drd_plugin.diffusion import bundled, distance
from drd_plugin.diffusion.denoisers.pixel import PixelDenoiser
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scoring import forecast, maps, merge, score, score_shard, verify

CPU = torch.device("cpu")
QUICK = DRD(timestep=3, draws=2, distance="mse")
SEARCHED = replace(QUICK, timestep=None, B=1, noises=1, gamma_min=5, gamma_max=200, distance="network")


def quietly(split, quick=QUICK, **rest):
    return score(split, quick, device="cpu", progress=False, **rest)


def shard(split, out, part, quick=QUICK):
    return score_shard(split, quick, part, out=out, device="cpu", progress=False)


@pytest.fixture(scope="module")
def whole(some):
    """The scores, in one part and in memory."""
    return quietly(some)


@pytest.fixture(scope="module")
def folders(some, tmp_path_factory):
    """Folders of eight parts: `even` and `odd` hold those of two shards, `other` and `other even` have another setting.

    Tests take copies.
    """
    folder = tmp_path_factory.mktemp("folders")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(maps, "CHUNK", 20)
        for number, name in enumerate(("even", "odd")):
            shard(some, folder / name, (number, 2))
        shard(some, folder / "other even", (0, 2), replace(QUICK, timestep=2))
        shutil.copytree(folder / "other even", folder / "other")
        quietly(some, replace(QUICK, timestep=2), out=folder / "other")
    merge([folder / "even", folder / "odd"], folder / "all")
    return folder


@pytest.fixture
def copied(folders, tmp_path):
    """Copies a folder."""
    return lambda name: shutil.copytree(folders / name, tmp_path / name)


@pytest.fixture(scope="module")
def searched(some, tmp_path_factory):
    """Two folders with chosen timesteps and a trained network: the even parts of eight, and all."""
    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(maps, "CHUNK", 20)
        patched.setattr(distance, "CRITIC", replace(distance.CRITIC, steps=20))
        shard(some, folder / "even", (0, 2), SEARCHED)
        shutil.copytree(folder / "even", folder / "all")
        shard(some, folder / "all", (1, 2), SEARCHED)
    return folder


def test_shards_make_the_same_scores(some, whole, tmp_path, small_chunks):
    for i, parts in ((2, 2), (0, 5), (1, 8)):
        assert shard(some, tmp_path, (i, 3)) == (parts, 8)
    assert np.allclose(Scores.load(tmp_path).estimates, whole.estimates, atol=1e-6)


@pytest.mark.parametrize("part", [(3, 3), (0, 0), (-1, 2)])
def test_a_shard_that_does_not_exist_is_refused(some, tmp_path, part):
    with pytest.raises(ValueError, match=r"a shard i/N with i in 0\.\.N - 1"):
        shard(some, tmp_path, part)


def test_two_processes_give_the_scores_of_one(one_and_two):
    """With the timesteps searched and the distance's network trained, in a folder that both share."""
    one, two = (folder / "DRD" for folder in one_and_two)
    assert len(list(two.glob("part-*"))) == 8
    assert len(list((two / "timesteps").glob("class-*"))) == 10
    one, two = Scores.load(one), Scores.load(two)
    assert two.provenance["settings"] == one.provenance["settings"]
    assert np.allclose(two.estimates, one.estimates, atol=1e-5)


def test_parts_of_two_machines_are_merged(folders, whole, tmp_path):
    even, odd = folders / "even", folders / "odd"
    with pytest.raises(ArtifactError, match="incomplete: found 4 of 8 parts"):
        merge([even], tmp_path / "half")
    merged = merge([even, odd], tmp_path / "both")
    assert np.allclose(merged.estimates, whole.estimates, atol=1e-6)
    assert (tmp_path / "both" / "plan.json").exists()
    assert len(merge([tmp_path / "both", even], tmp_path / "both again")) == 150  # the same parts twice


def test_parts_that_do_not_belong_together_are_not_merged(folders, copied, tmp_path):
    part = "part-00002-of-00008.parquet"
    with pytest.raises(ArtifactError, match=r"different settings \(score's timestep: 2, not 3\)"):
        merge([folders / "even", folders / "other"], tmp_path / "out")
    damaged = copied("even")
    shutil.copyfile(folders / "other even" / part, damaged / part)
    with pytest.raises(ArtifactError, match="different scores of the same examples"):
        merge([folders / "even", damaged], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactError, match=r"has no plan\.json"):
        merge([tmp_path / "empty"], tmp_path / "out 2")


def test_a_part_of_another_run_is_noticed(folders, copied):
    folder, part = copied("all"), "part-00002-of-00008.parquet"
    shutil.copyfile(folders / "other" / part, folder / part)
    with pytest.raises(ArtifactError, match="runs with different settings"):
        Scores.load(folder)
    shutil.copyfile(folders / "other" / part, folder / "part-00002-of-00009.parquet")
    with pytest.raises(ArtifactError, match=r"parts of different runs, of \[8, 9\] parts"):
        Scores.load(folder)


def test_a_damaged_part_is_named(copied):
    folder = copied("all")
    path = folder / "part-00003-of-00008.parquet"
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"part-00003-of-00008\.parquet is damaged"):
        Scores.load(folder)


def test_verify_scores_a_sample_again(some, searched, tmp_path, monkeypatch):
    folder = shutil.copytree(searched / "all", tmp_path / "copy")
    again = "it was settled again"
    monkeypatch.setattr("drd_plugin.diffusion.choose_timesteps", lambda *_, **__: pytest.fail(again))
    monkeypatch.setattr(distance, "critic", lambda *_, **__: pytest.fail(again))
    verification = verify(some, folder, 7, "cpu", progress=False)
    assert len(verification.index) == 7
    assert verification.gap < 1e-4
    index = np.arange(150)[57:76]
    stored = Scores.load(folder).at(index)
    maps.write_part(folder, 3, 8, index, replace(stored, estimates=stored.estimates + 1), 150)
    assert len(list(folder.glob("part-*"))) == 8
    verification = verify(some, folder, 150, "cpu", progress=False)
    assert verification.gap > 1
    assert verification.worst in index


def test_verify_on_the_command_line(digits, tmp_path, capsys):
    scores = quietly(digits.train, replace(QUICK, timestep=1, draws=1), out=tmp_path / "s")
    main(["verify", str(tmp_path / "s"), "--dataset", "digits", "--rows", "5", "--device", "cpu"])
    assert "5 examples differ by at most" in capsys.readouterr().out
    replace(scores, estimates=scores.estimates * 1.5).save(tmp_path / "t")
    shutil.copyfile(tmp_path / "s" / "plan.json", tmp_path / "t" / "plan.json")
    with pytest.raises(SystemExit, match=r"more than 0\.01"):
        main(["verify", str(tmp_path / "t"), "--dataset", "digits", "--rows", "5", "--device", "cpu"])


PROGRAM = """
import sys
from drd_plugin import load, score
from drd_plugin.data import take
from drd_plugin.scores import DRD
from drd_plugin.scoring import maps
maps.CHUNK = 20
quick = DRD(timestep=3, draws=1, distance="mse")
score(take(load("digits").train, 150), quick, out=sys.argv[1], device="cpu", progress=False)
"""


FULL = """
import resource
from drd_plugin.scoring import maps
write, written = maps.write_part, []
def limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
def counted(*arguments):
    if len(written) == 3:
        limit()
    write(*arguments)
    written.append(arguments)
maps.write_part = counted
"""


def test_a_full_disk_leaves_the_finished_parts(start, tmp_path):
    """A process that may write no file of more than 2 kB after its third part."""
    limited = start(FULL + PROGRAM, tmp_path)
    assert limited.wait() == 1
    assert "OSError" in limited.output
    assert "File too large" in limited.output
    paths = sorted(path for path in tmp_path.iterdir() if path.name != "plan.json")
    assert [path.name for path in paths] == [f"part-{i:05d}-of-00008.parquet" for i in range(3)]
    stamps = [path.stat().st_mtime_ns for path in paths]
    unlimited = start(PROGRAM, tmp_path)
    assert unlimited.wait() == 0, unlimited.output
    assert len(Scores.load(tmp_path)) == 150
    assert [path.stat().st_mtime_ns for path in paths] == stamps


def test_tensors_on_a_full_disk_raise_what_the_command_line_knows(start, tmp_path):
    program = FULL + "import torch\nfrom drd_plugin.artifacts.files import save_tensors\nlimit()\n"
    program += f"save_tensors({{'a': torch.zeros(9000)}}, maps.Path({str(tmp_path / 'a')!r}))"
    limited = start(program)
    assert limited.wait() == 1
    assert "\nOSError: " in limited.output
    assert not list(tmp_path.iterdir())


def test_processes_take_over_what_is_missing():
    class State:
        process_index, num_processes = 1, 2

    assert Team(1, 2).parts(6) == [1, 3, 5]  # of a job array: the others' parts are theirs
    assert Team(1, 2, None, State()).parts(6) == [1, 3, 5, 4, 2, 0]
    assert Team(3, 4, None, State()).parts(9) == [3, 7, 6, 2]


def test_machines_without_a_common_disk_need_the_same_critic(some, searched, tmp_path, small_chunks, short_critic):
    for folder, name in product("bc", ("plan.json", "timesteps.json", "critic.safetensors")):
        (tmp_path / folder).mkdir(exist_ok=True)
        shutil.copyfile(searched / "even" / name, tmp_path / folder / name)
    shard(some, tmp_path / "c", (1, 2), SEARCHED)
    assert len(merge([searched / "even", tmp_path / "c"], tmp_path / "both")) == 150
    save_tensors(distance.critic(some, 7, "cpu").state_dict(), tmp_path / "b" / "critic.safetensors")
    shard(some, tmp_path / "b", (1, 2), SEARCHED)
    with pytest.raises(ArtifactError, match=r"different settings \(distance: "):
        merge([searched / "even", tmp_path / "b"], tmp_path / "out")


def test_the_same_weights_elsewhere_are_the_same_run(digits, some, folders, copied, tmp_path, small_chunks):
    shutil.copytree(bundled(digits.train.fingerprint), tmp_path / "copy")
    shard(some, tmp_path / "b", (1, 2), replace(QUICK, denoiser=str(tmp_path / "copy")))
    assert len(merge([folders / "even", tmp_path / "b"], tmp_path / "both")) == 150
    other = copied("other even")
    before = sorted(path.name for path in other.iterdir())
    with pytest.raises(ArtifactError, match="runs with different settings"):
        merge([folders / "even", tmp_path / "b"], other)
    assert sorted(path.name for path in other.iterdir()) == before


def test_the_forecast_goes_on_with_smaller_batches(some, monkeypatch):
    predict = PixelDenoiser.predict_noise

    def small(self, x, t, labels):
        if len(x) > 8:
            raise torch.OutOfMemoryError
        return predict(self, x, t, labels)

    monkeypatch.setattr(PixelDenoiser, "predict_noise", small)
    assert forecast(some, QUICK, CPU).batch == 8


def test_several_timesteps_are_forecast_with_what_makes_them_comparable(digits):
    cost = forecast(digits.train, replace(QUICK, timestep=None, timesteps=(5, 9)), CPU)
    assert (cost.first_forwards, cost.forwards_each) == (256 * 16, 2 * 16)


@pytest.mark.parametrize(("quick", "each"), [(QUICK, 2 * 4), (ELBO(draws=3, gamma_min=0.7), 3 * 2)])
def test_the_forecast_counts_what_scoring_does(some, quick, each, tmp_path, monkeypatch):
    cost = forecast(some, quick, CPU)
    assert (cost.images, cost.first_forwards, cost.forwards_each) == (150, 0, each)
    assert 0 < cost.share <= 1
    predict, forwards = PixelDenoiser.predict_noise, []

    def counted(self, x, t, labels):
        forwards.append(len(x))
        return predict(self, x, t, labels)

    monkeypatch.setattr(PixelDenoiser, "predict_noise", counted)
    quietly(some, quick, out=tmp_path)
    assert sum(forwards) == 150 * each
    written = sum(path.stat().st_size for path in tmp_path.glob("part-*"))
    assert 0.3 < cost.disk / written < 3


def test_the_forecast_counts_the_search(digits):
    exhaustive = DRD(distance="mse")
    assert forecast(digits.train, exhaustive, CPU).first_forwards == 10 * 20 * 17 * 20 * 10
    staged = replace(exhaustive, search="staged")
    assert forecast(digits.train, staged, CPU).first_forwards == 10 * 20 * 17 * 2 * 10


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    main(["score", "DRD", "--dataset", "digits", "--out", str(tmp_path / "s"), "--distance", "mse", "--dry-run"])
    text = capsys.readouterr().out
    assert "680,000 forward passes" in text
    assert "241,416 forward passes" in text  # 1,437 images, 8 draws, 21 steps
    assert not (tmp_path / "s").exists()


def test_shards_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(maps, "CHUNK", 500)
    command = ["score", "DRD", "--dataset", "digits", "--timestep", "1", "--draws", "1", "--distance", "mse"]
    for i in (0, 1):
        main([*command, "--out", str(tmp_path / f"{i}"), "--shard", f"{i}/2", "--device", "cpu"])
        assert "of 3 parts are in" in capsys.readouterr().out
    main(["merge", str(tmp_path / "0"), str(tmp_path / "1"), "--out", str(tmp_path / "both")])
    assert "1437 scores in" in capsys.readouterr().out
    assert json.loads((tmp_path / "both" / "plan.json").read_text())["score"]["timestep"] == 1
    with pytest.raises(SystemExit, match="expected a shard as i/N"):
        main([*command, "--out", str(tmp_path / "x"), "--shard", "3", "--device", "cpu"])
