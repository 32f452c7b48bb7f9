"""Subsets that DeepCore trains on, and its results."""

import numpy as np
import pytest
import torch
from checkout import Shapes, result_of

from drd_plugin.artifacts import ArtifactError, Subset
from drd_plugin.bench import RunStore
from drd_plugin.cli import main
from drd_plugin.deepcore import export_checkpoint, read_checkpoint


@pytest.fixture
def subset(digits):
    indices = np.arange(0, 1437, 20)
    return Subset(indices, 1437, "AUM", digits.train.fingerprint)


@pytest.mark.parametrize("weighted", [False, True])
def test_deepcore_trains_on_an_exported_subset(tmp_path, subset, weighted, launch_in_process):
    if weighted:
        weights = np.linspace(1, 2, len(subset), dtype=np.float32)
        subset = Subset(subset.indices, subset.n, "AUM", subset.fingerprint, weights=weights)
    subset.save(tmp_path / "subset.json")
    main(["deepcore-export", str(tmp_path / "subset.json"), "--out", str(tmp_path / "subset.ckpt")])
    repairs = ["--compat", "weights"] if weighted else []
    done = launch_in_process("--resume", "subset.ckpt", own=repairs)
    assert done.returncode == 0, done.stderr
    assert str(len(subset)) in done.stdout.splitlines()


def test_an_exported_checkpoint_holds_plain_types_alone(tmp_path, subset):
    export_checkpoint(subset, tmp_path / "x.ckpt")
    content = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert content["subset"] == {"indices": subset.indices.tolist()}
    assert {"exp", "subset", "sel_args"} <= set(content)


RESULT = "FashionMNIST_ResNet18_kCenterGreedy_exp0_epoch3_2023-02-01 10:11:12.131415_0.1_62.500000.ckpt"


def test_results_of_deepcore_become_rows(tmp_path, capsys):
    result_of(tmp_path / RESULT)
    run = read_checkpoint(tmp_path / RESULT)
    assert (run.dataset, run.net, run.method, run.fraction, run.k) == (
        "FashionMNIST", "ResNet18", "kCenterGreedy", 0.1, 30
    )  # fmt: skip
    assert (run.acc_best, run.acc_last, run.step_best, run.steps) == (62.5, 60.0, 2, 3)
    repeat = RESULT.replace("2023-02-01", "2023-02-02")
    result_of(tmp_path / repeat, accuracies=(50.0, 60.5, 60.0))
    for _ in range(2):
        main(["deepcore-import", str(tmp_path / RESULT), str(tmp_path / repeat), "--out", str(tmp_path / "runs")])
    assert RunStore(tmp_path / "runs").frame()["seed"].tolist() == [0, 1]
    assert "| kCenterGreedy | 61.5 ± 1.4 |" in capsys.readouterr().out
    main(["show", str(tmp_path / "runs")])
    assert "| kCenterGreedy | 61.5 ± 1.4 |" in capsys.readouterr().out


def test_another_network_and_an_exported_subset_are_recognised(tmp_path):
    cross = RESULT.replace("_62.5", "_VGG11_62.5")
    result_of(tmp_path / cross)
    assert read_checkpoint(tmp_path / cross).net == "VGG11"
    result_of(tmp_path / RESULT, sel_args={"method": "DRD+CCS", "fraction": 0.3})
    run = read_checkpoint(tmp_path / RESULT)
    assert (run.net, run.method, run.fraction) == ("ResNet18", "DRD+CCS", 0.3)


def test_the_last_accuracy_is_unknown_where_deepcore_saved_before_it(tmp_path):
    result_of(tmp_path / RESULT, accuracies=(50.0, 62.5))
    assert np.isnan(read_checkpoint(tmp_path / RESULT).acc_last)


def test_checkpoints_that_are_no_results_are_refused(tmp_path):
    for name, content in (("bare.ckpt", b""), (RESULT, b"not a checkpoint")):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"bare.ckpt is not a name that DeepCore gives"):
        read_checkpoint(tmp_path / "bare.ckpt")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_checkpoint(tmp_path / RESULT)
    torch.save({"exp": 0, "subset": {"indices": [1]}}, tmp_path / RESULT)
    with pytest.raises(ArtifactError, match="holds no results"):
        read_checkpoint(tmp_path / RESULT)


def test_nothing_is_left_behind_by_files_that_are_refused(tmp_path):
    with pytest.raises(SystemExit, match="give at least one checkpoint"):
        main(["deepcore-import", "--out", str(tmp_path / "runs")])
    with pytest.raises(SystemExit, match="there is no file"):
        main(["deepcore-import", str(tmp_path / RESULT), "--out", str(tmp_path / "runs")])
    assert not (tmp_path / "runs").exists()


def test_code_in_a_checkpoint_is_not_run_unless_trusted(tmp_path):
    result_of(tmp_path / RESULT, extra=Shapes(5).transform)
    with pytest.raises(ArtifactError, match="can be read with --trust"):
        read_checkpoint(tmp_path / RESULT)
    assert read_checkpoint(tmp_path / RESULT, trust=True).acc_best == 62.5
