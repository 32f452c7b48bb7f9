"""Many processes, job arrays, merging, verifying and forecasting."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from drd_plugin.artifacts import ArtifactError, Scores, tensors
from drd_plugin.cli import main
from drd_plugin.core.team import Team
from drd_plugin.diffusion import distance as perceptual
from drd_plugin.diffusion.denoisers.load import BUNDLED
from drd_plugin.diffusion.denoisers.pixel import PixelDenoiser
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scoring import maps as parts
from drd_plugin.scoring import merge
from drd_plugin.scoring import verify as verification
from drd_plugin.scoring.compute import score
from drd_plugin.scoring.forecasting import forecast
from drd_plugin.scoring.maps import score_shard

CPU = torch.device("cpu")
QUICK = DRD(timestep=12, draws=2, distance="mse", denoiser=str(BUNDLED / "digits"))
SEARCHED = replace(QUICK, timestep=None, B=1, noises=1, distance="network")


@pytest.fixture
def small_chunks(monkeypatch):
    """Eight parts of `few`."""
    monkeypatch.setattr(parts, "CHUNK", 20)


def test_shards_make_the_same_scores(few, tmp_path, small_chunks):
    whole = score(few, QUICK, device="cpu", progress=False)
    for i, there in ((2, 2), (0, 5), (1, 8)):
        assert score_shard(few, QUICK, (i, 3), out=tmp_path, device="cpu", progress=False) == (there, 8)
    assert np.allclose(Scores.load(tmp_path).estimates, whole.estimates, atol=1e-6)


@pytest.mark.parametrize("shard", [(3, 3), (0, 0), (-1, 2)])
def test_a_shard_that_does_not_exist_is_refused(few, tmp_path, shard):
    with pytest.raises(ValueError, match=r"a shard i/N with i in 0\.\.N - 1"):
        score_shard(few, QUICK, shard, out=tmp_path, device="cpu", progress=False)


PROGRAM = """
import sys
from drd_plugin import engine, parts
from drd_plugin.data import Split, load
from drd_plugin.methods import parse_score
parts.CHUNK = 20
whole = load("digits").train
few = Split("few", whole.images[:150], whole.labels[:150], whole.classes)
engine.score(few, parse_score(sys.argv[1]), out=sys.argv[2], device="cpu", progress=False)
"""


FULL = """
import resource
from drd_plugin import parts
write, written = parts.write_part, []
def limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
def counted(*given):
    if len(written) == 3:
        limit()
    write(*given)
    written.append(given)
parts.write_part = counted
"""


def test_two_processes_give_the_scores_of_one(few, tmp_path, small_chunks):
    """With the timesteps searched and the distance's network trained, in a folder that both share."""
    (tmp_path / "program.py").write_text(PROGRAM)
    name = f"DRD[B=1, noises=1, draws=2, distance=network, denoiser={BUNDLED / 'digits'}]"
    alone = [sys.executable, str(tmp_path / "program.py"), name, str(tmp_path / "one")]
    both = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611",
            str(tmp_path / "program.py"), name, str(tmp_path / "two")]  # fmt: skip
    for command in (alone, both):  # with one thread each, since the network's training rounds by threads
        done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "two").glob("part-*"))) == 8
    assert len(list((tmp_path / "two" / "timesteps").glob("class-*"))) == 10
    one, two = (Scores.load(tmp_path / name) for name in ("one", "two"))
    assert two.provenance["settings"] == one.provenance["settings"]
    assert np.allclose(two.estimates, one.estimates, atol=1e-5)


def test_parts_of_two_machines_are_merged(few, tmp_path, small_chunks):
    whole = score(few, QUICK, device="cpu", progress=False)
    for i in (0, 1):
        score_shard(few, QUICK, (i, 2), out=tmp_path / str(i), device="cpu", progress=False)
    with pytest.raises(ArtifactError, match="incomplete: found 4 of 8 parts"):
        merge([tmp_path / "0"], tmp_path / "half")
    merged = merge([tmp_path / "0", tmp_path / "1"], tmp_path / "both")
    assert np.allclose(merged.estimates, whole.estimates, atol=1e-6)
    assert (tmp_path / "both" / "plan.json").exists()
    assert len(merge([tmp_path / "both", tmp_path / "0"], tmp_path / "both again")) == 150  # the same parts twice


def test_parts_that_do_not_belong_together_are_not_merged(few, tmp_path, small_chunks):
    score_shard(few, QUICK, (0, 2), out=tmp_path / "a", device="cpu", progress=False)
    score_shard(few, replace(QUICK, timestep=13), (1, 2), out=tmp_path / "b", device="cpu", progress=False)
    with pytest.raises(ArtifactError, match=r"different settings \(score's timestep: 13, not 12\)"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    score_shard(few, replace(QUICK, timestep=13), (0, 2), out=tmp_path / "d", device="cpu", progress=False)
    name = "part-00002-of-00008.parquet"
    shutil.copyfile(tmp_path / "d" / name, tmp_path / "c" / name)
    with pytest.raises(ArtifactError, match="different scores of the same examples"):
        merge([tmp_path / "a", tmp_path / "c"], tmp_path / "out")
    with pytest.raises(ArtifactError, match=r"has no plan\.json"):
        merge([tmp_path], tmp_path / "out 2")


def test_a_part_of_another_run_is_noticed(few, tmp_path, small_chunks):
    score(few, QUICK, out=tmp_path / "a", device="cpu", progress=False)
    score(few, replace(QUICK, timestep=13), out=tmp_path / "b", device="cpu", progress=False)
    name = "part-00002-of-00008.parquet"
    shutil.copyfile(tmp_path / "b" / name, tmp_path / "a" / name)
    with pytest.raises(ArtifactError, match="runs with different settings"):
        Scores.load(tmp_path / "a")
    shutil.copyfile(tmp_path / "b" / name, tmp_path / "a" / "part-00002-of-00009.parquet")
    with pytest.raises(ArtifactError, match=r"parts of different runs, of \[8, 9\] parts"):
        Scores.load(tmp_path / "a")


def test_a_damaged_part_is_named(few, tmp_path, small_chunks):
    score(few, QUICK, out=tmp_path, device="cpu", progress=False)
    path = tmp_path / "part-00003-of-00008.parquet"
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"part-00003-of-00008\.parquet is damaged"):
        Scores.load(tmp_path)


def test_verify_scores_a_sample_again(few, tmp_path, small_chunks, capsys, monkeypatch):
    score(few, SEARCHED, out=tmp_path, device="cpu", progress=False)
    monkeypatch.setattr(DRD, "choose", lambda *_: pytest.fail("the timesteps were chosen again"))
    found = verification.verify(few, tmp_path, 7, "cpu", progress=False)
    assert len(found.index) == 7
    assert found.apart < 1e-4
    path = tmp_path / "part-00003-of-00008.parquet"
    part = Scores.load(tmp_path)
    index = np.arange(150)[57:76]
    wrong = replace(
        part,
        estimates=part.estimates[index] + 1,
        labels=part.labels[index],
        provenance={k: v for k, v in part.provenance.items() if k != "environments"},
    )
    parts.write_part(tmp_path, 3, 8, index, wrong, 150)
    assert path.exists()
    assert verification.verify(few, tmp_path, 150, "cpu", progress=False).apart > 1


def test_verify_on_the_command_line(digits, tmp_path, capsys):
    what = replace(QUICK, draws=1)
    scores = score(digits.train, what, out=tmp_path / "s", device="cpu", progress=False)
    main(["verify", str(tmp_path / "s"), "--dataset", "digits", "--rows", "5", "--device", "cpu"])
    assert "5 examples differ by at most" in capsys.readouterr().out
    replace(scores, estimates=scores.estimates * 1.5).save(tmp_path / "t")
    shutil.copyfile(tmp_path / "s" / "plan.json", tmp_path / "t" / "plan.json")
    with pytest.raises(SystemExit, match=r"more than 0\.01"):
        main(["verify", str(tmp_path / "t"), "--dataset", "digits", "--rows", "5", "--device", "cpu"])


def test_a_full_disk_leaves_the_finished_parts(tmp_path):
    """A process that may write no file of more than 2 kB after its third part."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "limited.py").write_text(FULL + PROGRAM)
    name = f"DRD[timestep=12, draws=1, distance=mse, denoiser={BUNDLED / 'digits'}]"
    arguments = [name, str(tmp_path / "s")]
    limited = [sys.executable, str(tmp_path / "limited.py"), *arguments]
    done = subprocess.run(limited, capture_output=True, text=True)
    assert "OSError" in done.stderr
    assert "File too large" in done.stderr
    kept = sorted(path for path in (tmp_path / "s").iterdir() if path.name != "plan.json")
    assert [path.name for path in kept] == [f"part-{i:05d}-of-00008.parquet" for i in range(3)]
    written = [path.stat().st_mtime_ns for path in kept]
    subprocess.run([sys.executable, str(tmp_path / "program.py"), *arguments], check=True)
    assert len(Scores.load(tmp_path / "s")) == 150
    assert [path.stat().st_mtime_ns for path in kept] == written


def test_tensors_on_a_full_disk_raise_what_the_command_line_knows(tmp_path):
    program = FULL + "import torch\nfrom drd_plugin.artifacts.files import save_tensors\nlimit()\n"
    program += f"save_tensors({{'a': torch.zeros(9000)}}, parts.Path({str(tmp_path / 'a')!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "\nOSError: " in done.stderr
    assert not list(tmp_path.iterdir())


def test_processes_take_over_what_is_missing():
    class State:
        process_index, num_processes = 1, 2

    assert Team(1, 2).parts(6) == [1, 3, 5]  # of a job array: the others' parts are theirs
    assert Team(1, 2, None, State()).parts(6) == [1, 3, 5, 4, 2, 0]
    assert Team(3, 4, None, State()).parts(9) == [3, 7, 6, 2]


def test_machines_without_a_common_disk_need_the_same_critic(few, tmp_path, small_chunks):
    what = replace(QUICK, distance="network")
    score_shard(few, what, (0, 2), out=tmp_path / "a", device="cpu", progress=False)
    state = perceptual.critic(few, 7, "cpu").state_dict()
    for folder, name in product("bc", ("plan.json", "critic.safetensors")):
        (tmp_path / folder).mkdir(exist_ok=True)
        shutil.copyfile(tmp_path / "a" / name, tmp_path / folder / name)
    score_shard(few, what, (1, 2), out=tmp_path / "c", device="cpu", progress=False)
    assert len(merge([tmp_path / "a", tmp_path / "c"], tmp_path / "both")) == 150
    tensors.save_tensors(state, tmp_path / "b" / "critic.safetensors")
    score_shard(few, what, (1, 2), out=tmp_path / "b", device="cpu", progress=False)
    with pytest.raises(ArtifactError, match=r"different settings \(distance: "):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")


def test_the_same_weights_elsewhere_are_the_same_run(few, tmp_path, small_chunks):
    score_shard(few, QUICK, (0, 2), out=tmp_path / "a", device="cpu", progress=False)
    shutil.copytree(QUICK.denoiser, tmp_path / "copy")
    elsewhere = replace(QUICK, denoiser=str(tmp_path / "copy"))
    score_shard(few, elsewhere, (1, 2), out=tmp_path / "b", device="cpu", progress=False)
    assert len(merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")) == 150
    score_shard(few, replace(QUICK, draws=1), (1, 2), out=tmp_path / "other", device="cpu", progress=False)
    before = sorted(path.name for path in (tmp_path / "other").iterdir())
    with pytest.raises(ArtifactError, match="runs with different settings"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "other")
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == before


def test_the_forecast_goes_on_with_smaller_batches(digits, monkeypatch):
    asked = PixelDenoiser.predict_noise

    def small(self, x, t, labels):
        if len(x) > 8:
            raise torch.OutOfMemoryError
        return asked(self, x, t, labels)

    monkeypatch.setattr(PixelDenoiser, "predict_noise", small)
    assert forecast(digits.train, QUICK, CPU).batch == 8


def test_several_timesteps_are_forecast_with_what_makes_them_comparable(digits):
    said = forecast(digits.train, replace(QUICK, timestep=None, timesteps=(5, 9)), CPU)
    assert (said.first_forwards, said.forwards_each) == (256 * 16, 2 * 16)


@pytest.mark.parametrize(("what", "each"), [(QUICK, 2 * 13), (ELBO(draws=3), 3 * 15)])
def test_the_forecast_counts_what_scoring_does(digits, what, each, tmp_path):
    said = forecast(digits.train, what, CPU)
    assert (said.images, said.first_forwards, said.forwards_each) == (1437, 0, each)
    assert 0 < said.share <= 1
    score(digits.train, what, out=tmp_path, device="cpu", progress=False)
    written = sum(path.stat().st_size for path in tmp_path.glob("part-*"))
    assert 0.3 < said.disk / written < 3


def test_the_forecast_counts_the_search(digits):
    exhaustive = DRD(denoiser=QUICK.denoiser, distance="mse")
    assert forecast(digits.train, exhaustive, CPU).first_forwards == 10 * 20 * 17 * 20 * 10
    staged = replace(exhaustive, search="staged")
    assert forecast(digits.train, staged, CPU).first_forwards == 10 * 20 * 17 * 2 * 10


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    main(["score", "DRD", "--dataset", "digits", "--out", str(tmp_path / "s"), "--distance", "mse", "--dry-run"])
    said = capsys.readouterr().out
    assert "680,000 forward passes" in said
    assert "241,416 forward passes" in said  # 1,437 images, 8 draws, 21 steps
    assert not (tmp_path / "s").exists()


def test_shards_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parts, "CHUNK", 500)
    command = ["score", "DRD", "--dataset", "digits", "--timestep", "9", "--draws", "1", "--distance", "mse"]
    for i in (0, 1):
        main([*command, "--out", str(tmp_path / f"{i}"), "--shard", f"{i}/2", "--device", "cpu"])
        assert "of 3 parts are in" in capsys.readouterr().out
    main(["merge", str(tmp_path / "0"), str(tmp_path / "1"), "--out", str(tmp_path / "both")])
    assert "1437 scores in" in capsys.readouterr().out
    assert json.loads((tmp_path / "both" / "plan.json").read_text())["score"]["timestep"] == 9
    with pytest.raises(SystemExit, match="expected a shard as i/N"):
        main([*command, "--out", str(tmp_path / "x"), "--shard", "3", "--device", "cpu"])
