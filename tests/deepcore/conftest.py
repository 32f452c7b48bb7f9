"""DeepCore, or its stand-in, on the path; a small denoiser, and settings with which DRD takes a blink."""

import sys

import pytest
from checkout import CHECKOUT, NAMES, STANDIN, Shapes
from torchvision import transforms

from drd_plugin.deepcore import methods as coreset
from drd_plugin.deepcore import options
from drd_plugin.deepcore.images import split_of
from drd_plugin.diffusion.fitting.settings import Fit


@pytest.fixture(scope="module", autouse=True)
def _on_the_path():
    """Within the tests of this folder alone."""
    before = sys.path.copy()
    sys.path.insert(0, str(CHECKOUT))
    yield
    sys.path[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] in ("deepcore", "utils")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _said_nothing_yet():
    """What is printed once in a script is printed once in each test."""
    coreset._say.cache_clear()


@pytest.fixture(scope="session")
def denoiser(tmp_path_factory):
    """A small denoiser of `Shapes` at 8 pixels."""
    folder = tmp_path_factory.mktemp("denoiser")
    small = Shapes(60, transforms.Compose([transforms.Resize(8), transforms.ToTensor()]))
    Fit(channels=(8, 16), epochs=4, batch_size=30)(split_of(small), folder / "d", "cpu", progress=False)
    return str(folder / "d")


@pytest.fixture
def quick(denoiser, monkeypatch):
    """Settings with which DRD and ELBO take a blink."""
    cheap = {"denoiser": denoiser, "draws": 1}
    by_name = {name: cheap for name in NAMES if "ELBO" in name}
    by_name |= {name: cheap | {"timestep": 3, "distance": "mse"} for name in NAMES if "DRD" in name}
    monkeypatch.setattr(options, "_given", by_name)


def pytest_collection_modifyitems(items):
    if CHECKOUT == STANDIN:
        for item in items:
            if item.get_closest_marker("deepcore"):
                item.add_marker(pytest.mark.skip(reason="DEEPCORE_PATH names no checkout of DeepCore"))


@pytest.fixture
def no_options(monkeypatch):
    monkeypatch.setattr(options, "_given", {})
    monkeypatch.delenv("DRD_PLUGIN_CONFIG", raising=False)
