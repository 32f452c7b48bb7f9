"""The command line from end to end on the real digits."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from drd_plugin.artifacts import Scores, Subset
from drd_plugin.cli import main
from drd_plugin.data import load

GRID = """
methods = ["Random", "AUM"]
fractions = [0.1]
seeds = [0]
dataset = {name = "digits"}
recipe = {steps = 3}
proxy = {epochs = 1}
"""


def fails(capsys, *args):
    """What is printed, without the frame and line breaks that depend on the terminal."""
    with pytest.raises(SystemExit) as stopped:
        main(args)
    return " ".join(re.sub("[\u2500-\u257f]", " ", f"{stopped.value.code} {capsys.readouterr().err}").split())


COMMANDS = [
    "", "list", "bench", "score", "score DRD", "score AUM", "record", "select", "train", "timestep", "fit", "factors",
    "show", "import-scores", "export-subset", "deepcore", "deepcore-export", "deepcore-import", "doctor",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_given_without_importing_torch(command):
    program = (
        "import sys; from drd_plugin.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'pandas', 'sklearn', 'diffusers', 'matplotlib'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", program, *command.split(), "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "usage: drd-plugin" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_list_names_everything(capsys):
    main(["list"])
    shown = capsys.readouterr().out
    for name in (
        "digits",
        "fashion_mnist",
        "image_folder",
        "DRD",
        "Forgetting",
        "BestWindow",
        "Random",
        "resnet18_small",
    ):
        assert name in shown
    strategies = shown[shown.index("\nstrategies\n") : shown.index("\nnets\n")]
    assert "\nCCS           What the method has: Strata(variant='official'" in strategies
    assert strategies.count("\nD2 ") == 1


def test_score_select_train_show(tmp_path, capsys):
    scores, subset = tmp_path / "aum", tmp_path / "subset.json"
    main(["score", "AUM", "--dataset", "digits", "--epochs", "2", "--out", str(scores)])
    main(["select", "--scores", str(scores), "--strategy", "CCS", "--fraction", "0.1", "--out", str(subset)])
    main(["train", "--dataset", "digits", "--subset", str(subset), "--seeds", "2", "--steps", "20"])
    for path in (scores, subset):
        main(["show", str(path)])
    shown = capsys.readouterr().out
    assert Scores.load(scores).provenance["recipe"]["epochs"] == 2
    assert len(Subset.load(subset)) == 144
    assert "AUM+CCS, 144 of 1437 examples" in shown
    assert "over 2 seeds" in shown
    assert "cutoff     0.3" in shown

    again = ["select", "--scores", str(scores), "--strategy", "CCS", "--out", str(subset), "--fraction"]
    main([*again, "0.1"])
    with pytest.raises(SystemExit, match=r"holds another subset, by AUM\+CCS: give another --out"):
        main([*again, "0.2"])
    assert len(Subset.load(subset)) == 144


def test_select_with_networks_and_within_classes(tmp_path, capsys):
    scores = tmp_path / "moderate"
    main(["score", "Moderate", "--dataset", "digits", "--epochs", "1", "--out", str(scores)])
    main([
        "select", "--scores", str(scores), "--strategy", "BestWindow[selector=train,step=0.5]", "--fraction", "0.1",
        "--out", str(tmp_path / "window.json"), "--steps", "3",
    ])  # fmt: skip
    window = Subset.load(tmp_path / "window.json")
    assert len(window.chosen["accuracies"]) == 2
    main([
        "select", "--scores", str(scores), "--strategy", "Hardest", "--fraction", "0.1", "--per-class",
        "--out", str(tmp_path / "classes.json"),
    ])  # fmt: skip
    labels = load("digits").train.labels[Subset.load(tmp_path / "classes.json").indices]
    assert sorted(np.bincount(labels)) == [14, 14, 14, 14, 14, 14, 15, 15, 15, 15]


def test_one_pass_gives_scores_and_the_features_that_d2_looks_at(tmp_path, capsys):
    out, subset = tmp_path / "proxy", tmp_path / "d2.json"
    wanted = ["--scores", "Forgetting", "AUM", "EL2N[outputs=train]", "--features"]
    main(["record", "--dataset", "digits", "--net", "lenet", "--epochs", "3", "--out", str(out), *wanted])
    shown = capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [
        "AUM",
        "EL2N[outputs=train]",
        "Forgetting",
        "features.safetensors",
    ]
    assert shown.count(" of 1437 examples of digits:") == 3
    assert Scores.load(out / "EL2N[outputs=train]").provenance["score"]["outputs"] == "train"
    given = [
        "select",
        "--scores",
        str(out / "Forgetting"),
        "--strategy",
        "D2",
        "--fraction",
        "0.1",
        "--out",
        str(subset),
    ]
    assert "give the file that `drd-plugin record --features`" in fails(
        capsys, *given, "--other-scores", str(out / "AUM")
    )
    features = ["--features", str(out / "features.safetensors")]
    assert "asks for the AUM score too" in fails(capsys, *given, *features)
    main([*given, *features, "--other-scores", str(out / "AUM")])
    assert len(Subset.load(subset)) == 144
    further = Subset.load(subset).provenance["further"]
    assert further["AUM"]["score"]["margin"] == "logits"
    assert further["features"]["recipe"]["epochs"] == 3
    main(
        [
            "score",
            "AUM",
            "--margin",
            "probabilities",
            "--dataset",
            "digits",
            "--epochs",
            "1",
            "--out",
            str(tmp_path / "p"),
        ]
    )
    other = fails(capsys, *given, *features, "--other-scores", str(tmp_path / "p"))
    assert "made as AUM(proxies=1, margin='logits', first_epochs=None)" in other
    assert "'margin': 'probabilities'" in other
    twice = fails(capsys, *given, *features, "--other-scores", str(out / "AUM"), str(out / "AUM"))
    assert "2 of the given scores are AUM" in twice
    np.save(tmp_path / "short.npy", np.zeros((100, 3)))
    refused = fails(capsys, *given, "--features", str(tmp_path / "short.npy"))
    assert "features of 100 examples and scores of 1437" in refused
    assert "does not watch a proxy" in fails(
        capsys, "record", "--dataset", "digits", "--out", str(tmp_path / "x"), "--scores", "ELBO"
    )


def test_drd_from_the_command_line(tmp_path, capsys):
    quick = ["--B", "1", "--noises", "1", "--gamma-min", "0.6", "--distance", "mse", "--draws", "1"]
    main(["score", "DRD", "--dataset", "digits", "--out", str(tmp_path / "drd"), *quick])
    main(["show", str(tmp_path / "drd")])
    assert "\ntimesteps " in capsys.readouterr().out
    main(["timestep", "--dataset", "digits", *quick[:6], "--plot", str(tmp_path / "t.png")])
    assert "forward passes" in capsys.readouterr().out
    assert (tmp_path / "t.png").stat().st_size > 5000


def test_fit_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "denoiser"
    main(["fit", "--dataset", "digits", "--out", str(out), "--epochs", "1", "--channels", "8", "8"])
    card = json.loads((out / "card.json").read_text())
    assert card["fit"]["channels"] == [8, 8]
    main(["show", str(out)])
    assert "\nparameters " in capsys.readouterr().out


def test_bench_prints_writes_and_resumes(tmp_path, capsys):
    grid = tmp_path / "mine.toml"
    grid.write_text(GRID)
    out = tmp_path / "out"
    for _ in range(2):
        main(["bench", str(grid), "--out", str(out)])
        assert "| Random" in capsys.readouterr().out
    main(["bench", str(grid), "--out", str(out), "--fractions", "0.2", "--seeds", "0", "1"])
    shown = capsys.readouterr().out
    assert "20 %" in shown
    assert f"`drd-plugin bench {grid}`, then `drd-plugin bench {grid} --fractions 0.2 --seeds 0 1`, " in shown
    assert "\n\n\n" not in shown
    assert {"table.md", "table.csv", "table.tex", "accuracy.png"} <= {path.name for path in out.iterdir()}
    main(["show", str(out)])
    assert "| Random" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["bench", "mane"], "unknown experiment 'mane': did you mean 'main'"),
        (["bench", "dynamic", "--study", "axs=wall"], "study in --study 'axs': did you mean 'axis'"),
        (["score", "AUM", "--dataset", "digitz", "--out", "x"], "unknown data set 'digitz': did you mean 'digits'"),
        (
            ["score", "DRD", "--dataset", "fashion_mnist", "--root", "/nowhere", "--out", "x"],
            "data root /nowhere does not exist",
        ),
        (["score", "AMU", "--dataset", "digits", "--out", "x"], "unknown score 'AMU': did you mean 'AUM'"),
        (["score", "ELBO", "--dataset", "digits", "--draws", "0", "--out", "x"], "draws must be at least 1, got 0"),
        (["score", "AUM", "--dataset", "digits", "--device", "gpu", "--out", "x"], "unknown device 'gpu'"),
        (["score", "AUM", "--dataset", "digits", "--seed", "-1", "--out", "x"], "non-negative integer, got -1"),
        (["fit", "--dataset", "digits", "--epochs", "0", "--out", "x"], "epochs must be at least 1, got 0"),
        (["bench", "main", "--methods", "EL2N[epoch=abc]", "--out", "x"], "EL2N.epoch: expected int or None"),
        (["score", "EL2N", "--dataset", "digits", "--epoch", "9", "--epochs", "3", "--out", "x"], "trains for 3"),
        (["score", "AUM", "--dataset", "digits", "--proxies", "0", "--out", "x"], "proxies must be at least 1, got 0"),
        (["bench", "main", "--device", "gpu", "--out", "x"], "unknown device 'gpu'"),
        (["score", "AUM", "--dataset", "digits", "--out", "/dev/null/x"], "Not a directory"),
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
    main(["train", "--dataset", "digits", "--steps", "3"])
    assert "Full, 1437 of 1437 examples:" in capsys.readouterr().out


def test_the_version(capsys):
    main(["--version"])
    assert capsys.readouterr().out.startswith("drd-plugin 0.")


def test_a_reader_that_stops_reading_is_no_error():
    command = f"{sys.executable} -m drd_plugin list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("data sets\n", "")


def test_an_interrupt_says_that_the_run_goes_on(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("drd_plugin.bench.results.run_experiment", interrupted)
    assert "130" in fails(capsys, "bench", "main")


def test_scores_of_another_data_set_are_refused(tmp_path, capsys):
    scores = tmp_path / "u"
    main(["score", "Uniform", "--dataset", "digits", "--out", str(scores)])
    main(
        [
            "select",
            "--scores",
            str(scores),
            "--strategy",
            "Hardest",
            "--fraction",
            "0.01",
            "--out",
            str(tmp_path / "s.json"),
        ]
    )
    content = json.loads((tmp_path / "s.json").read_text()) | {"fingerprint": "other:1234"}
    (tmp_path / "s.json").write_text(json.dumps(content))
    message = fails(capsys, "train", "--dataset", "digits", "--subset", str(tmp_path / "s.json"))
    assert "was made for the data set other:1234" in message
    assert "above" not in message
    too_little = fails(
        capsys, "select", "--scores", str(scores), "--strategy", "Hardest", "--fraction", "0", "--out", "x"
    )
    assert "in (0, 1]; got 0" in too_little


def test_factors_are_made_once_shown_and_refused_for_other_settings(tmp_path, capsys, monkeypatch):
    out = tmp_path / "factors"
    proxy = ["--proxy.net", "lenet", "--proxy.epochs", "2", "--proxy.lr", "0.05"]
    given = ["factors", "--dataset", "digits", "--out", str(out), "--units", "48", "--k", "4", "--steps", "40", *proxy]
    main(given)
    first = capsys.readouterr().out
    assert re.search(r"units +48, 4 active at most", first)
    assert re.search(r"explained variance +\d+\.\d %", first)
    assert re.search(r"seconds +features \d+\.\d, autoencoder \d+\.\d, scoring \d+\.\d", first)
    kept = {path.name for path in out.iterdir() if not path.name.startswith("features-")}
    parts = {"autoencoder.safetensors", "codes.safetensors", "examples.parquet", "units.parquet", "factors.json"}
    assert kept == parts | {"factors.png"}
    with monkeypatch.context() as patched:
        patched.setattr("drd_plugin.factors.make._Task.compute", lambda *_: pytest.fail("it is there"))
        main(given)
    assert capsys.readouterr().out == first
    main(["show", str(out)])
    assert capsys.readouterr().out.startswith(first.splitlines()[0])
    assert "autoencoder's k: 4, not 5" in fails(capsys, *given, "--k", "5")
    [features] = out.glob("features-*.safetensors")
    refused = ["factors", "--dataset", "digits", "--out", str(tmp_path / "o"), "--features"]
    assert "unknown feature space 'proxi': did you mean 'proxy'" in fails(capsys, *refused, "proxi")
    assert "has no texts for minilm" in fails(capsys, *refused, "minilm")
    main([*refused, str(features), "--steps", "5"])
    made = json.loads((tmp_path / "o" / "factors.json").read_text())["provenance"]
    assert made["features_provenance"]["features"]["recipe"]["net"] == "lenet"
