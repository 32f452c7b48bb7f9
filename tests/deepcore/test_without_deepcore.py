"""What works, and what is said, where DeepCore is not importable: in one interpreter without it."""

import json

import pytest
from checkout import python

PROGRAM = """
import contextlib, io, json, logging
from drd_plugin.cli import main
from drd_plugin.data import load
from drd_plugin.deepcore import Args, method_class
from drd_plugin.deepcore.datasets import Digits
from drd_plugin.deepcore.methods import net_name
from drd_plugin.methods import parse

def error_of(attempt):
    try:
        attempt()
    except Exception as error:
        return str(error)

results = {
    "method": error_of(lambda: parse("deepcore:GraNd")),
    "network": error_of(lambda: net_name("VGG11", load("digits").train)),
}
args, train = Args(model="LeNet", selection_batch=256, workers=0), Digits("")[6]
with contextlib.redirect_stderr(io.StringIO()) as quiet:
    method_class("Random")(train, args, 0.01, 0).select()
logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=(lines := io.StringIO()))
method = method_class("EL2N")(train, args, 0.01, 0, epochs=1)
results["selection"] = [method.proxy.net, method.select()["indices"].tolist()]
results["logged"] = [quiet.getvalue(), lines.getvalue()]
with contextlib.redirect_stdout(io.StringIO()) as printed:
    main(["doctor"])
results["doctor"] = printed.getvalue()
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    done = python(PROGRAM, cwd=tmp_path_factory.mktemp("elsewhere"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_proxy_is_ours(results):
    net, indices = results["selection"]
    assert net == "lenet"
    assert len(indices) == 10


def test_a_script_sees_the_lines_once_it_sets_up_logging(results):
    before, after = results["logged"]
    assert "Random = " not in before
    assert after.startswith("drd_plugin.deepcore.methods: EL2N = EL2N(")


def test_networks_that_are_not_ours_are_refused(results):
    assert "model must be one of LeNet, ResNet18, ResNet50; got 'VGG11'" in results["network"]


def test_the_message_says_where_deepcore_is(results):
    assert "DeepCore is not importable: clone https://github.com/PatrickZH/DeepCore" in results["method"]


def test_the_doctor_works(results):
    assert "DeepCore is not importable" in " ".join(results["doctor"].split())
