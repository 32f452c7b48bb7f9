"""Names in DeepCore: every method after one import, none overwritten, and other packages of its name."""

import pytest
from checkout import CHECKOUT, python

from drd_plugin.deepcore import method_names
from drd_plugin.methods import parse


@pytest.mark.parametrize("first", ["drd_plugin", "deepcore.methods"])
def test_one_import_before_or_after_is_enough(first):
    program = f"""
import importlib
importlib.import_module({first!r})
import drd_plugin, deepcore.methods as methods, deepcore.datasets as datasets
from drd_plugin.deepcore import method_names
assert all(name in vars(methods) for name in method_names())
assert {{"DRD", "ELBO", "AUM", "EL2N", "Moderate", "CCS", "BWS", "DRD+CCS", "Forgetting+BWS"}} <= set(vars(methods))
assert issubclass(methods.DRD, methods.CoresetMethod) and methods.DRD.__module__.startswith("drd_plugin")
assert methods.Forgetting.__module__ == "deepcore.methods.forgetting"
assert methods.Uniform.__module__ == methods.uniform.__name__ == "deepcore.methods.uniform"
assert {{"Digits", "ImageNette", "ImageWoof"}} <= set(vars(datasets))
"""
    done = python(program, CHECKOUT)
    assert done.returncode == 0, done.stderr


def test_the_plugin_itself_imports_neither_torch_nor_deepcore():
    program = "import sys, drd_plugin; assert not {'torch', 'deepcore', 'numpy'} & set(sys.modules)"
    done = python(program, CHECKOUT)
    assert done.returncode == 0, done.stderr


def test_every_score_has_every_strategy():
    names = list(method_names())
    assert len(names) == len(set(names))
    assert {"DRD+CCS", "Forgetting+BWS", "AUM+Strata", "ELBO+Moderate"} <= set(names)
    for name in names:
        parse(name)


def test_an_unrelated_package_is_recognised(tmp_path):
    (tmp_path / "deepcore").mkdir()
    (tmp_path / "deepcore" / "__init__.py").write_text("")
    program = "import drd_plugin, deepcore; from drd_plugin.deepcore.host import deepcore; deepcore('methods')"
    done = python(program, tmp_path)
    assert "No method was added to it" in done.stderr.split("Traceback")[0]
    assert "DeepCoreMissing" in done.stderr
    assert "pip uninstall deepcore" in done.stderr
