"""The repairs, each on what it repairs, and the doctor."""

import sys
import zipfile
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from checkout import CHECKOUT, Shapes, args_of, result_of
from torch.utils.data import DataLoader, TensorDataset

from drd_plugin.cli import main
from drd_plugin.cli.deepcore import launch
from drd_plugin.core.registry import UnknownName
from drd_plugin.deepcore import REPAIRS, VARIANTS, examine, split_of
from drd_plugin.deepcore.bridge import host_dataset, isolated
from drd_plugin.deepcore.compat import repaired
from drd_plugin.deepcore.host import DeepCoreMissing, deepcore
from drd_plugin.deepcore.trial import failure


def weighted_batch():
    import utils

    data = TensorDataset(torch.arange(6.0), torch.arange(6))
    return next(iter(DataLoader(utils.WeightedSubset(data, [5, 1, 3], [0.5, 1.5, 2.5]), batch_size=3)))


def test_the_weights_come_back():
    assert not isinstance(weighted_batch()[0], list)
    with repaired(["weights"]):
        (values, labels), weights = weighted_batch()
        assert (values.tolist(), labels.tolist(), weights.tolist()) == ([5, 1, 3], [5, 1, 3], [0.5, 1.5, 2.5])
    assert not isinstance(weighted_batch()[0], list)


def test_resuming_comes_back(tmp_path):
    result_of(tmp_path / "x.ckpt")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "x.ckpt")
    with repaired(["resume"]):
        assert torch.load(tmp_path / "x.ckpt")["rec"].test_acc == [50.0, 62.5, 60.0]
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "x.ckpt")


def test_checkpoints_of_numpy_1_come_back_too(tmp_path):
    result_of(tmp_path / "new.ckpt")
    with zipfile.ZipFile(tmp_path / "new.ckpt") as new, zipfile.ZipFile(tmp_path / "old.ckpt", "w") as old:
        for name in new.namelist():
            old.writestr(name.replace("new/", "old/"), new.read(name).replace(b"numpy._core.", b"numpy.core."))
    with repaired(["resume"]):
        assert torch.load(tmp_path / "old.ckpt")["subset"]["indices"].tolist() == list(range(30))


def test_in1d_comes_back():
    had = hasattr(np, "in1d")
    with repaired(["in1d"]):
        assert np.in1d([1, 2, 3], [2]).tolist() == [False, True, False]  # noqa: NPY201
    assert hasattr(np, "in1d") is had


def test_model_urls_come_back():
    from torchvision.models import resnet

    assert not hasattr(resnet, "model_urls")
    with repaired(["model_urls"]):
        assert resnet.model_urls["resnet18"].startswith("https://download.pytorch.org/models/resnet18")
    assert not hasattr(resnet, "model_urls")


def test_forgetting_counts_on_any_device():
    kind = deepcore("methods").Forgetting
    method = SimpleNamespace(forgetting_events=torch.zeros(4), last_acc=torch.zeros(4))
    with repaired(["forgetting"]):
        for right in ([1, 1], [1, 0], [0, 1], [1, 0]):
            outputs = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
            kind.after_loss(method, outputs, None, torch.tensor(right), np.array([3, 1]), 0)
    assert method.forgetting_events.tolist() == [0, 2, 0, 1]


def test_deepfool_moves_images():
    kind = deepcore("methods").DeepFool
    data = host_dataset(split_of(Shapes(40)))
    method = kind(data, args_of(), 0.2, 0, epochs=1, max_iter=2)
    with pytest.raises(RuntimeError, match="leaf Variable"), isolated():
        method.select()
    with repaired(["deepfool"]), isolated():
        assert len(method.select()["indices"]) == 8


def test_each_repair_is_undone_also_when_a_later_one_fails():
    kind = deepcore("methods").Forgetting
    before = kind.after_loss
    with pytest.raises(UnknownName, match="repair"), repaired(["forgetting", "wings"]):
        pass
    for name in REPAIRS:
        with repaired([name]):
            pass
    with repaired(["resume"]):
        allowed = torch.serialization.get_safe_globals()
        with repaired(["resume"]):
            pass
        assert torch.serialization.get_safe_globals() == allowed
    assert kind.after_loss is before


def test_another_module_called_utils_is_recognised_and_not_run(tmp_path, monkeypatch):
    (tmp_path / "utils.py").write_text("raise SystemExit('run')")
    monkeypatch.delitem(sys.modules, "utils", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeepCoreMissing, match="the module utils is not DeepCore's"), repaired(["weights"]):
        pass


def test_the_doctor_names_what_works(capsys):
    main(["doctor", "--deepcore", str(CHECKOUT)])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"DeepCore {CHECKOUT / 'deepcore'}" in shown
    assert "DeepFool works with --compat deepfool (RuntimeError: a leaf Variable" in shown
    assert "Craig works with --compat weights (RuntimeError: its weights do not reach the training batch)" in shown
    assert "torch" in shown
    assert all(name in shown for name in VARIANTS)


def test_the_doctor_names_a_folder_that_is_no_checkout(tmp_path):
    with pytest.raises(SystemExit, match=r"is no checkout of DeepCore: expected a folder with deepcore/methods/"):
        main(["doctor", "--deepcore", str(tmp_path)])


@pytest.mark.deepcore
def test_the_verdicts_are_true():
    """On packages of which NumPy lacks in1d, torchvision model_urls, and torch's Subset fetches whole batches."""
    verdicts = {name: examine(name) for name in VARIANTS}
    broken = {name: verdict.repairs for name, verdict in verdicts.items() if not verdict.works}
    assert broken["Craig"] == broken["GradMatch"] == ("weights",)
    assert broken["DeepFool"] == ("deepfool",)
    assert broken["ContextualDiversity"] == ("in1d",)
    assert set(broken) == {"kCenterGreedy", "Cal", "Craig", "GradMatch", "DeepFool", "ContextualDiversity"}


def test_the_launchers_help_names_every_repair():
    assert all(name in launch.__doc__ for name in REPAIRS)


def test_a_download_that_fails_is_named():
    def attempt():
        raise URLError("no route")

    assert failure(attempt) == "a download failed: no route"
