"""DeepCore's methods and networks in this library."""

import numpy as np
import pytest
import torch
from checkout import Shapes

from drd_plugin.bench import STUDIES, Grid, Workers, run_grid
from drd_plugin.core.job import Job
from drd_plugin.core.registry import UnknownName
from drd_plugin.core.seeds import Seeds
from drd_plugin.data import load
from drd_plugin.deepcore import VARIANTS, split_of
from drd_plugin.deepcore.bridge import arguments
from drd_plugin.deepcore.host import DeepCoreMissing, _takes_channels_last, deepcore, methods_of
from drd_plugin.methods import parse
from drd_plugin.scoring import ScoreCache
from drd_plugin.selection import Networks, SplitWorkbench
from drd_plugin.training import Recipe, features, train


def networks_of(split, net="lenet", **changed):
    recipe = Recipe(epochs=1, net=net, batch_size=32, lr=0.05, **changed)
    return Networks(split, recipe, recipe, Seeds.all(0), Job("cpu", progress=False))


def workbench_of(split, **changed):
    networks = networks_of(split, **changed)
    cache = ScoreCache(split, networks.proxy, job=networks.job)
    return SplitWorkbench(cache, networks.seeds, networks.recipe)


def grid_of(*methods, **fields):
    settings = {"fractions": (0.2,), "seeds": (0,), "recipe": Recipe(steps=2), "proxy": Recipe(epochs=1), **fields}
    return Grid("t", methods, dataset={"name": "digits"}, **settings)


@pytest.fixture
def workers(tmp_path):
    return Workers(tmp_path, device="cpu", workers=1, progress=False)


def test_a_method_of_deepcore_is_a_row(workers, tmp_path):
    grid = grid_of("deepcore:Uniform", "AUM", seeds=(0, 1))
    frame = run_grid(grid, workers).frame()
    row = frame[frame.method == "deepcore:Uniform"].iloc[0]
    assert row.k == sum(round(0.2 * int(c)) for c in load("digits").train.class_counts)
    subsets = [path.read_text() for path in (tmp_path / "subsets").glob("*.json")]
    assert any("deepcore" in text and "Uniform" in text for text in subsets)
    assert len(run_grid(grid, workers).frame()) == len(frame)


def test_a_method_that_cannot_run_is_left_out_and_named(workers, tmp_path, monkeypatch):
    def broken(self, **kwargs):
        raise RuntimeError("no weights to be had")

    grid, study = grid_of("deepcore:Uniform", "Random"), STUDIES["comparison"]()
    with monkeypatch.context() as patched:
        patched.setattr(deepcore("methods").Uniform, "select", broken)
        study.run(grid, workers)
    results = study.read(tmp_path)
    assert set(results.rows["method"]) == {"Random", "Full"}
    for text in (results.text, results.latex):
        assert "Left out: deepcore:Uniform (RuntimeError: no weights to be had)." in text
    study.run(grid, workers)
    results = study.read(tmp_path)
    assert (set(results.rows["method"]), results.left_out) == ({"Random", "Full", "deepcore:Uniform"}, {})


def test_a_row_has_settings(tiny):
    method = parse("deepcore:DeepFool[max_iter=3]")
    assert method.settings == {"max_iter": 3}
    assert method.name == "deepcore:DeepFool[max_iter=3]"
    subset = method.select(None, 0.2, 0, workbench_of(split_of(Shapes(40))))
    assert subset.provenance["settings"]["max_iter"] == 3
    with pytest.raises(UnknownName, match="did you mean 'max_iter'"):
        parse("deepcore:DeepFool[max_itr=3]")
    with pytest.raises(UnknownName, match="did you mean 'DeepFool'"):
        parse("deepcore:DeepFul")
    with pytest.raises(ValueError, match="needs the data set and a recipe"):
        method.select(None, 0.2, 0)


def test_weights_of_deepcore_are_trained_with():
    split = split_of(Shapes(40))
    subset = parse("deepcore:Craig").select(None, 0.2, 0, workbench_of(split))
    assert subset.weights is not None
    assert subset.weights.dtype == np.float32
    train(split, Recipe(steps=2, batch_size=8), subset=subset, device="cpu")


def test_deepcores_methods_leave_the_randomness_alone(tiny):
    before, state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    parse("deepcore:Uniform").select(None, 0.2, 0, workbench_of(tiny))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), state)


def test_deepcore_trains_our_nets_and_we_train_its(tiny):
    args = arguments(networks_of(tiny, "convnet_small"))
    net = vars(deepcore("nets"))[args.model](1, 3, (8, 8))
    x = torch.rand(4, 1, 8, 8)
    with net.embedding_recorder:
        logits = net(x)
    assert torch.allclose(net.get_last_layer()(net.embedding_recorder.embedding), logits)
    net.no_grad = True
    assert not net(x).requires_grad
    shapes = split_of(Shapes(40))
    trained = train(shapes, Recipe(net="deepcore:LeNet", steps=2), test=shapes, device="cpu")
    assert features(trained.net, shapes, "cpu").shape[0] == 40
    with pytest.raises(ValueError, match="LeNet is not made for 1 x 8 x 8 images"):
        train(tiny, Recipe(net="deepcore:LeNet", steps=2), device="cpu")
    with pytest.raises(UnknownName, match="net of DeepCore"):
        train(shapes, Recipe(net="deepcore:LeNot", steps=2), device="cpu")


class Stubborn(torch.nn.Module):
    """Flattens by `view` inside a part, where no hook can help."""

    class Part(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv2d(1, 4, 3)

        def forward(self, x):
            return self.convolution(x).view(len(x), -1)

    def __init__(self):
        super().__init__()
        self.part = self.Part()

    def forward(self, x):
        return self.part(x)


def test_a_network_that_cannot_work_in_channels_last_is_left_as_it_was():
    net, images = Stubborn().eval(), torch.zeros(2, 1, 8, 8)
    before = net(images)
    assert not _takes_channels_last(net, images)
    assert torch.equal(net(images), before)
    assert not any(part._forward_hooks for part in net.modules())


def test_a_network_that_flattens_between_its_parts_is_helped():
    class Flattening(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.head = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(144, 2)

        def forward(self, x):
            return self.head(self.convolution(x).view(len(x), -1))

    net, images = Flattening().eval(), torch.rand(2, 1, 8, 8)
    before = net(images)
    assert _takes_channels_last(net, images)
    assert torch.allclose(net(images.to(memory_format=torch.channels_last)), before, atol=1e-6)


def test_an_optimiser_that_deepcore_cannot_make_is_refused(tiny):
    with pytest.raises(ValueError, match="with SGD or Adam, got a proxy recipe with adamw"):
        parse("deepcore:Uniform").select(None, 0.2, 0, workbench_of(tiny, optimizer="adamw"))


@pytest.mark.deepcore
@pytest.mark.parametrize("name", sorted({kind for kind, _ in VARIANTS.values()} - {"Cal"}))
def test_every_method_of_a_real_checkout_is_a_row(name, tiny):
    subset = parse(f"deepcore:{name}").select(None, 0.2, 0, workbench_of(tiny))
    assert len(np.unique(subset.indices)) == len(subset)
    assert np.bincount(tiny.labels[subset.indices]).tolist() == [4, 4, 4]


@pytest.mark.deepcore
def test_a_real_checkout_has_the_methods_that_the_doctor_examines():
    assert {kind for kind, _ in VARIANTS.values()} <= set(methods_of(deepcore("methods")))


def test_missing_deepcore_is_its_own_error():
    assert issubclass(DeepCoreMissing, ValueError)
