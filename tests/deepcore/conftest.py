"""DeepCore, or its stand-in, on the path; a small denoiser, and settings with which DRD takes a blink."""

import subprocess
import sys

import pytest
from checkout import CHECKOUT, NAMES, STANDIN, Shapes, launcher
from torchvision import transforms

from drd_plugin.cli import main
from drd_plugin.deepcore import methods, options, split_of, watch
from drd_plugin.diffusion import Fit, fit_denoiser


@pytest.fixture(scope="module", autouse=True)
def _on_the_path():
    """Within the tests of this folder alone."""
    before = sys.path.copy()
    sys.path.insert(0, str(CHECKOUT))
    watch()  # each folder of tests imports it anew
    yield
    sys.path[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] in ("deepcore", "utils")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _nothing_logged_yet():
    """What is logged once in a script is logged once in each test."""
    methods._log_once.cache_clear()


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory):
    """A small denoiser of `Shapes` at 8 pixels."""
    folder = tmp_path_factory.mktemp("denoiser")
    small = Shapes(60, transforms.Compose([transforms.Resize(8), transforms.ToTensor()]))
    fit = Fit(channels=(8, 16), epochs=4, batch_size=30, samples=0)
    fit_denoiser(split_of(small), folder / "d", fit, device="cpu", progress=False)
    return str(folder / "d")


@pytest.fixture
def quick(denoiser, monkeypatch):
    """Settings with which DRD and ELBO take a blink."""
    cheap = {"denoiser": denoiser, "draws": 1}
    by_name = {name: cheap for name in NAMES if "ELBO" in name}
    by_name |= {name: cheap | {"timestep": 3, "distance": "mse"} for name in NAMES if "DRD" in name}
    monkeypatch.setattr(options, "_options", by_name)


def pytest_collection_modifyitems(items):
    if CHECKOUT == STANDIN:
        for item in items:
            if item.get_closest_marker("deepcore"):
                item.add_marker(pytest.mark.skip(reason="DEEPCORE_PATH names no checkout of DeepCore"))


@pytest.fixture
def no_options(monkeypatch):
    """No options, and those that a test sets are forgotten after it."""
    monkeypatch.setattr(options, "_options", {})
    monkeypatch.setenv("DRD_PLUGIN_CONFIG", "")
    monkeypatch.delenv("DRD_PLUGIN_CONFIG")


@pytest.fixture
def launch_in_process(tmp_path, no_options, monkeypatch, capsys):
    """`checkout.launch` in `tmp_path`, in this interpreter; what is logged is in `caplog`."""

    def run(*arguments, own=()):
        command = launcher(tmp_path, *arguments, own=own)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", sys.path.copy())
        monkeypatch.setattr(sys, "argv", sys.argv)
        code = 0
        try:
            main(command)
        except SystemExit as error:
            code = error.code
        captured = capsys.readouterr()
        message = code if isinstance(code, str) else ""  # which Python prints when it ends
        return subprocess.CompletedProcess(command, 1 if message else code, captured.out, captured.err + message)

    return run
