"""The command line from end to end on the real digits; `test_imports` has what it does before anything is imported."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from drd_plugin.artifacts import Features, Scores, Subset
from drd_plugin.cli import main
from drd_plugin.core.provenance import describe
from drd_plugin.scores import AUM, EL2N
from drd_plugin.training import Recipe

GRID = """
methods = ["Random", "AUM"]
fractions = [0.1]
seeds = [0]
dataset = {name = "digits", examples = 300}
recipe = {net = "lenet", steps = 3}
proxy = {epochs = 1}
"""


def run(*args):
    main([str(arg) for arg in args])


def fails(capsys, *args):
    """What is printed, without the frame and line breaks that depend on the terminal."""
    with pytest.raises(SystemExit) as stopped:
        run(*args)
    return " ".join(re.sub("[\u2500-\u257f]", " ", f"{stopped.value.code} {capsys.readouterr().err}").split())


def test_list_names_everything(capsys):
    run("list")
    text = capsys.readouterr().out
    for name in (
        "digits", "fashion_mnist", "image_folder", "DRD", "Forgetting", "BestWindow", "Random", "resnet18_small",
    ):  # fmt: skip
        assert name in text
    strategies = text[text.index("\nstrategies\n") : text.index("\nnets\n")]
    assert "\nCCS           What the method has: Strata(variant='official'" in strategies
    assert strategies.count("\nD2 ") == 1


def test_score_select_train_show(tmp_path, capsys):
    scores, subset = tmp_path / "aum", tmp_path / "subset.json"
    run("score", "AUM", "--dataset", "digits", "--epochs", 2, "--net", "lenet", "--out", scores)
    run("select", "--scores", scores, "--strategy", "CCS", "--fraction", 0.1, "--out", subset)
    run("train", "--dataset", "digits", "--subset", subset, "--seeds", 2, "--steps", 20, "--net", "lenet")
    for path in (scores, subset):
        run("show", path)
    text = capsys.readouterr().out
    assert Scores.load(scores).provenance["recipe"]["epochs"] == 2
    assert len(Subset.load(subset)) == 144
    assert "AUM+CCS, 144 of 1437 examples" in text
    assert "over 2 seeds" in text
    assert "cutoff     0.3" in text


@pytest.fixture
def scored(tmp_path):
    """A folder of scores, and the command that selects from it into a file."""
    provenance = {
        "score": describe(AUM()), "inputs": {}, "seed": 0, "dataset": "digits", "recipe": describe(Recipe(epochs=30)),
        "environment": {"git": "abc", "created": "2026-01-01T00:00:00+00:00"}, "seconds": 1.5,
    }  # fmt: skip
    estimates = np.random.default_rng(0).normal(size=(100, 1))
    scores = Scores("AUM", estimates, np.arange(100) % 5, False, "digits:1", provenance)
    scores.save(tmp_path / "aum")
    command = ["select", "--scores", tmp_path / "aum", "--strategy", "CCS", "--out", tmp_path / "subset.json"]
    return scores, tmp_path / "aum", [*command, "--fraction"], tmp_path / "subset.json"


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"seconds": 9.25},
        {"environment": {"git": "abd", "created": "2027-02-02T00:00:00+00:00", "device": "cuda"}, "seconds": 0.1},
        {"environments": [{"git": "abc"}, {"git": "abd"}]},
    ],
)
def test_select_writes_its_own_file_again_after_an_equal_scoring(scored, capsys, change):
    """The scores are equal, whenever, wherever and for however long they were computed."""
    scores, folder, select, out = scored
    run(*select, 0.1)
    first = Subset.load(out)
    replace(scores, provenance={**scores.provenance, **change}).save(folder)
    run(*select, 0.1)
    assert capsys.readouterr().out.count(f"10 of 100 examples by AUM+CCS, cutoff 0.3, in {out}\n") == 2
    again = Subset.load(out)
    assert again.indices.tolist() == first.indices.tolist()
    assert again.provenance["score"]["provenance"] == Scores.load(folder).provenance
    assert change.items() <= again.provenance["score"]["provenance"].items()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"score": describe(AUM("probabilities"))},
        {"recipe": describe(Recipe(epochs=31))},
        {"inputs": {"denoiser": "other"}},
    ],
)
def test_select_refuses_the_file_of_scores_with_other_settings(scored, change):
    scores, folder, select, out = scored
    run(*select, 0.1)
    before = out.read_bytes()
    replace(scores, provenance={**scores.provenance, **change}).save(folder)
    with pytest.raises(SystemExit, match=r"holds another subset, by AUM\+CCS: give another --out, or remove it"):
        run(*select, 0.1)
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [[0.2], [0.1, "--seed", 1], [0.1, "--strategy", "CCS[cutoff=0.2]"], [0.1, "--strategy", "Hardest"]],
)
def test_select_refuses_the_file_of_a_selection_with_other_settings(scored, other):
    _, _, select, out = scored
    run(*select, 0.1)
    before = out.read_bytes()
    with pytest.raises(SystemExit, match=r"holds another subset, by AUM\+CCS: give another --out, or remove it"):
        run(*select, *other)
    assert out.read_bytes() == before


@pytest.mark.parametrize("flag", ["--other-scores", "--features"])
def test_select_refuses_the_file_of_a_selection_with_other_scores_or_features(scored, tmp_path, flag):
    """It writes the file again where only the time differs at which the further scores were computed."""
    scores, _, select, out = scored
    select = [*select, 0.1, "--strategy", "CCS[cutoff_score=EL2N]" if flag == "--other-scores" else "D2[cutoff=0.0]"]
    for name, seed, seconds in (("one", 0, 1.0), ("again", 0, 2.0), ("other", 1, 1.0)):
        values = np.random.default_rng(seed).normal(size=(100, 1))
        changes = {"score": describe(EL2N()), "seed": seed, "seconds": seconds}
        further = replace(scores, name="EL2N", estimates=values, provenance={**scores.provenance, **changes})
        further.save(tmp_path / name)
        Features(values, scores.fingerprint, {"seed": seed, "seconds": seconds}).save(tmp_path / f"{name}.safetensors")
    suffix = "" if flag == "--other-scores" else ".safetensors"
    run(*select, flag, tmp_path / f"one{suffix}")
    run(*select, flag, tmp_path / f"again{suffix}")
    before = out.read_bytes()
    with pytest.raises(SystemExit, match=r"holds another subset, by AUM\+\S+: give another --out, or remove it"):
        run(*select, flag, tmp_path / f"other{suffix}")
    assert out.read_bytes() == before


def test_select_refuses_a_file_of_indices_from_elsewhere(scored):
    _, _, select, out = scored
    Subset(np.arange(10), 100, "Mine", "digits:1").save(out)
    before = out.read_bytes()
    with pytest.raises(SystemExit, match="holds another subset, by Mine"):
        run(*select, 0.1)
    assert out.read_bytes() == before


def test_select_with_networks_and_within_classes(digits, tmp_path, capsys):
    scores = tmp_path / "moderate"
    run("score", "Moderate", "--dataset", "digits", "--net", "lenet", "--epochs", 1, "--out", scores)
    run(
        "select", "--scores", scores, "--strategy", "BestWindow[selector=train,step=0.5]", "--fraction", 0.1,
        "--out", tmp_path / "window.json", "--net", "lenet", "--steps", 3,
    )  # fmt: skip
    window = Subset.load(tmp_path / "window.json")
    assert len(window.chosen["accuracies"]) == 2
    run(
        "select", "--scores", scores, "--strategy", "Hardest", "--fraction", 0.1, "--per-class",
        "--out", tmp_path / "classes.json",
    )  # fmt: skip
    labels = digits.train.labels[Subset.load(tmp_path / "classes.json").indices]
    assert sorted(np.bincount(labels)) == [14, 14, 14, 14, 14, 14, 15, 15, 15, 15]


def test_one_pass_gives_scores_and_the_features_that_d2_looks_at(tmp_path, capsys):
    out, subset = tmp_path / "proxy", tmp_path / "d2.json"
    names = ["--scores", "Forgetting", "AUM", "EL2N[outputs=train]", "--features"]
    run("record", "--dataset", "digits", "--net", "lenet", "--epochs", 3, "--out", out, *names)
    text = capsys.readouterr().out
    folders = ["AUM", "EL2N[outputs=train]", "Forgetting", "features.safetensors"]
    assert sorted(path.name for path in out.iterdir()) == folders
    assert text.count(" of 1437 examples of digits:") == 3
    assert Scores.load(out / "EL2N[outputs=train]").provenance["score"]["outputs"] == "train"
    select = ["select", "--scores", out / "Forgetting", "--strategy", "D2", "--fraction", 0.1, "--out", subset]
    assert "give the file that `drd-plugin record --features`" in fails(capsys, *select, "--other-scores", out / "AUM")
    features = ["--features", out / "features.safetensors"]
    assert "asks for the AUM score too" in fails(capsys, *select, *features)
    run(*select, *features, "--other-scores", out / "AUM")
    assert len(Subset.load(subset)) == 144
    further = Subset.load(subset).provenance["further"]
    assert further["AUM"]["score"]["margin"] == "logits"
    assert further["features"]["recipe"]["epochs"] == 3
    other = ["score", "AUM", "--margin", "probabilities", "--dataset", "digits", "--net", "lenet", "--epochs", 1]
    run(*other, "--out", tmp_path / "p")
    refused = fails(capsys, *select, *features, "--other-scores", tmp_path / "p")
    assert "made as AUM(proxies=1, margin='logits', first_epochs=None)" in refused
    assert "'margin': 'probabilities'" in refused
    twice = fails(capsys, *select, *features, "--other-scores", out / "AUM", out / "AUM")
    assert "2 of the given scores are AUM" in twice
    np.save(tmp_path / "short.npy", np.zeros((100, 3)))
    refused = fails(capsys, *select, "--features", tmp_path / "short.npy")
    assert "features of 100 examples and scores of 1437" in refused
    record = ["record", "--dataset", "digits", "--out", tmp_path / "x", "--scores"]
    assert "does not watch a proxy" in fails(capsys, *record, "ELBO")


def test_drd_from_the_command_line(tmp_path, capsys):
    """With the denoiser that this library brings for the digits."""
    quick = ["--B", 1, "--noises", 1, "--gamma-min", 20, "--gamma-max", 200, "--distance", "mse", "--draws", 1]
    run("score", "DRD", "--dataset", "digits", "--out", tmp_path / "drd", *quick)
    run("show", tmp_path / "drd")
    assert "\ntimesteps " in capsys.readouterr().out
    run("timestep", "--dataset", "digits", *quick[:8], "--plot", tmp_path / "t.png")
    assert "forward passes" in capsys.readouterr().out
    assert (tmp_path / "t.png").stat().st_size > 5000


def test_fit_from_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("drd_plugin.diffusion.fitting.judge.CLASSIFIER", Recipe(net="lenet", steps=2))
    out = tmp_path / "denoiser"
    run("fit", "--dataset", "digits", "--out", out, "--epochs", 1, "--channels", 8, 8, "--samples", 1)
    card = json.loads((out / "card.json").read_text())
    assert card["fit"]["channels"] == [8, 8]
    text = capsys.readouterr().out
    assert f"{card['parameters']:,} parameters, loss " in text
    assert "% test accuracy recognises" in text
    run("show", out)
    assert "\nparameters " in capsys.readouterr().out


def test_bench_prints_writes_and_resumes(tmp_path, capsys):
    grid = tmp_path / "mine.toml"
    grid.write_text(GRID)
    out = tmp_path / "out"
    for _ in range(2):
        run("bench", grid, "--out", out, "--workers", 1)
        assert "| Random" in capsys.readouterr().out
    run("bench", grid, "--out", out, "--workers", 1, "--fractions", 0.2, "--seeds", 0, 1)
    text = capsys.readouterr().out
    assert "20 %" in text
    assert f"`drd-plugin bench {grid}`, then `drd-plugin bench {grid} --fractions 0.2 --seeds 0 1`, " in text
    assert "\n\n\n" not in text
    assert {"table.md", "table.csv", "table.tex", "accuracy.png"} <= {path.name for path in out.iterdir()}
    run("show", out)
    assert "| Random" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["bench", "dynamic", "--study", "axs=wall"], "the study in --study 'axs': did you mean 'axis'"),
        (
            ["score", "DRD", "--dataset", "fashion_mnist", "--root", "/nowhere", "--out", "x"],
            "data root /nowhere does not exist",
        ),
        (["score", "ELBO", "--dataset", "digits", "--draws", "0", "--out", "x"], "draws must be at least 1, got 0"),
        (["score", "AUM", "--dataset", "digits", "--device", "gpu", "--out", "x"], "unknown device 'gpu'"),
        (["score", "AUM", "--dataset", "digits", "--seed", "-1", "--out", "x"], "--seed: a seed is a non-negative"),
        (["fit", "--dataset", "digits", "--epochs", "0", "--out", "x"], "epochs must be at least 1, got 0"),
        (["bench", "main", "--methods", "EL2N[epoch=abc]", "--out", "x"], "EL2N.epoch: expected int or None"),
        (["score", "EL2N", "--dataset", "digits", "--epoch", "9", "--epochs", "3", "--out", "x"], "trains for 3"),
        (["score", "AUM", "--dataset", "digits", "--proxies", "0", "--out", "x"], "proxies must be at least 1, got 0"),
        (["bench", "main", "--device", "gpu", "--out", "x"], "unknown device 'gpu'"),
        (["score", "AUM", "--dataset", "digits", "--out", "/dev/null/x"], "/dev/null is not a folder"),
        (["show", "/nowhere"], "there is no /nowhere"),
        (["show", "/"], "holds nothing to show"),
        (["score", "--dataset", "digits", "AUM"], "the score comes first: drd-plugin score NAME --dataset ..."),
        (
            ["select", "--scores", "/nowhere", "--strategy", "CCS", "--fraction", "0.1", "--out", "x"],
            "there is no fold",
        ),
        (["select", "--scores", "/", "--strategy", "CCS", "--fraction", "0.1", "--out", "x"], "holds no scores"),
        (["train", "--dataset", "digits", "--subset", "/nowhere.json"], "there is no subset /nowhere.json"),
        (["train", "--dataset", "digits", "--subset", "/dev/null"], "is no subset file"),
        (["train", "--dataset", "digits", "--subset", "x", "--steps", "1", "--epochs", "1"], "either steps or epochs"),
    ],
)
def test_mistakes_are_answered_without_a_traceback(tmp_path, monkeypatch, capsys, args, message):
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, *args)
    assert not list(tmp_path.iterdir()), "nothing is written by a command that could not start"


def test_the_whole_training_set_without_a_subset(capsys):
    run("train", "--dataset", "digits", "--net", "lenet", "--steps", 3)
    assert "Full, 1437 of 1437 examples:" in capsys.readouterr().out


def test_the_version(capsys):
    run("--version")
    assert capsys.readouterr().out.startswith("drd-plugin 0.")


def test_a_reader_that_stops_reading_is_no_error():
    command = f"{sys.executable} -m drd_plugin list | head -1"
    finished = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (finished.stdout, finished.stderr) == ("data sets\n", "")


def test_an_interrupt_says_that_the_run_goes_on(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("drd_plugin.bench.run_experiment", interrupted)
    text = fails(capsys, "bench", "main")
    assert text.startswith("130 drd-plugin: stopped; bench, record and score go on when run again, and fit")


def test_scores_of_another_data_set_are_refused(tmp_path, capsys):
    scores, subset = tmp_path / "u", tmp_path / "s.json"
    run("score", "Uniform", "--dataset", "digits", "--out", scores)
    select = ["select", "--scores", scores, "--strategy", "Hardest", "--out"]
    run(*select, subset, "--fraction", 0.01)
    content = json.loads(subset.read_text()) | {"fingerprint": "other:1234"}
    subset.write_text(json.dumps(content))
    message = fails(capsys, "train", "--dataset", "digits", "--subset", subset)
    assert "was made for the data set other:1234" in message
    assert "above" not in message
    assert "in (0, 1]; got 0" in fails(capsys, *select, "x", "--fraction", 0)


def test_factors_are_made_once_shown_and_refused_for_other_settings(tmp_path, capsys, monkeypatch):
    out = tmp_path / "factors"
    proxy = ["--proxy.net", "lenet", "--proxy.epochs", 2, "--proxy.lr", 0.05]
    command = ["factors", "--dataset", "digits", "--out", out, "--units", 48, "--k", 4, "--steps", 40, *proxy]
    run(*command)
    first = capsys.readouterr().out
    assert re.search(r"units +48, 4 active at most", first)
    assert re.search(r"explained variance +\d+\.\d %", first)
    assert re.search(r"seconds +features \d+\.\d, autoencoder \d+\.\d, scoring \d+\.\d", first)
    files = {path.name for path in out.iterdir() if not path.name.startswith("features-")}
    parts = {"autoencoder.safetensors", "codes.safetensors", "examples.parquet", "units.parquet", "factors.json"}
    assert files == parts | {"factors.png"}
    with monkeypatch.context() as patched:
        patched.setattr("drd_plugin.factors.make.train_autoencoder", lambda *_, **__: pytest.fail("it is there"))
        run(*command)
    assert capsys.readouterr().out == first
    run("show", out)
    assert capsys.readouterr().out.startswith(first.splitlines()[0])
    assert "autoencoder's k: 4, not 5" in fails(capsys, *command, "--k", 5)
    [features] = out.glob("features-*.safetensors")
    refused = ["factors", "--dataset", "digits", "--out", tmp_path / "o", "--features"]
    assert "unknown feature space 'proxi': did you mean 'proxy'" in fails(capsys, *refused, "proxi")
    assert "has no texts for minilm" in fails(capsys, *refused, "minilm")
    run(*refused, features, "--steps", 5)
    provenance = json.loads((tmp_path / "o" / "factors.json").read_text())["provenance"]
    assert provenance["features_provenance"]["features"]["recipe"]["net"] == "lenet"
