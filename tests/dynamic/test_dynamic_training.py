"""Trainings on subsets that change: what is presented, when they end, and that they go on where they were killed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from drd_plugin.artifacts import Subset
from drd_plugin.dynamic import RS2, DynamicSampler, Examples, Fixed, InfoBatch, Plan, dynamic_sampler
from drd_plugin.training import Checkpoint, Goal, Recipe, Recorder, train

RECIPE = Recipe(net="lenet", epochs=6, batch_size=16, lr=0.05, evaluations=3)


class Watched(DynamicSampler):
    """Keeps the progress and the feedback of a training."""

    def __init__(self, *args, stop=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.feedback, self.progresses, self.stop = [], [], stop

    def set_epoch(self, epoch, progress=None):
        if epoch == self.stop:
            raise KeyboardInterrupt
        super().set_epoch(epoch, progress)
        self.progresses.append(progress)

    def update(self, index, losses, logits=None):
        self.feedback.append((index, losses, logits))
        super().update(index, losses, logits)


def sampler_of(split, method, fraction=0.4, **more):
    return Watched(method, Examples(split.labels, split.num_classes, split.fingerprint), Plan(fraction), **more)


def test_a_training_presents_the_epochs_of_the_sampler_and_hands_it_the_losses(few):
    sampler = sampler_of(few, RS2())
    trained = train(few, RECIPE, sampler=sampler)
    assert trained.examples_seen == 6 * 60
    assert trained.steps == 6 * 4
    assert sampler.progresses == pytest.approx(np.arange(6) / 6)
    presented = torch.cat([index for index, *_ in sampler.feedback])
    assert np.bincount(presented, minlength=150).tolist() == sampler.uses.tolist()
    for index, losses, logits in sampler.feedback:
        labels = torch.from_numpy(few.labels)[index]
        assert torch.allclose(losses, F.cross_entropy(logits, labels, reduction="none"), atol=1e-5)


@pytest.mark.parametrize("method", [RS2(), InfoBatch()])
@pytest.mark.parametrize(("axis", "amount"), [("epochs", 5), ("steps", 37), ("samples", 333)])
def test_a_training_ends_at_its_goal(few, method, axis, amount):
    trained = train(few, RECIPE, sampler=sampler_of(few, method), goal=Goal(axis, amount), test=few)
    reached = {"steps": trained.steps, "samples": trained.examples_seen, "epochs": amount}[axis]
    assert amount <= reached < amount + (16 if axis == "samples" else 1)
    assert len(trained.curve) == 3
    assert trained.curve[-1].steps == trained.steps


def test_a_training_ends_after_some_seconds(few):
    trained = train(few, RECIPE, sampler=sampler_of(few, RS2()), goal=Goal("wall", 0.5), test=few)
    assert 0.5 <= trained.curve[-1].seconds < 5
    assert trained.curve[-1].seconds < trained.seconds


def test_learning_rates_follow_the_steps_that_are_taken(few, monkeypatch):
    rates = []
    step = torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: rates.append(self.param_groups[0]["lr"]) or step(self))
    train(few, RECIPE, sampler=sampler_of(few, InfoBatch()), goal=Goal("samples", 1000))
    assert max(rates) == pytest.approx(RECIPE.lr, rel=0.05)
    assert rates[0] < RECIPE.lr / 10
    assert rates[-1] < RECIPE.lr / 100
    rates.clear()
    train(few, RECIPE)
    whole = rates.copy()
    rates.clear()
    train(few, RECIPE, goal=Goal("steps", len(whole)))
    assert rates == whole


@pytest.mark.parametrize("method", [RS2(), InfoBatch()])
def test_a_killed_training_resumes_to_the_same_end(few, tmp_path, method):
    whole = train(few, RECIPE, sampler=sampler_of(few, method), test=few)
    begun, continued = (Checkpoint(tmp_path / "checkpoint.safetensors", "a", every=0) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        train(few, RECIPE, sampler=sampler_of(few, method, stop=4), test=few, checkpoint=begun)
    sampler = sampler_of(few, method)
    resumed = train(few, RECIPE, sampler=sampler, test=few, checkpoint=continued)
    assert sampler.progresses == pytest.approx([4 / 6, 5 / 6])
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[name]), name
    for field in ("acc_last", "steps", "examples_seen"):
        assert getattr(resumed, field) == getattr(whole, field), field
    assert [(p.accuracy, p.steps) for p in resumed.curve] == [(p.accuracy, p.steps) for p in whole.curve]


def test_a_sampler_comes_alone(few):
    with pytest.raises(ValueError, match="give one alone"):
        train(few, RECIPE, sampler=sampler_of(few, RS2()), subset=np.arange(10))
    recorder = Recorder([], 150, 10, 6, torch.device("cpu"))
    with pytest.raises(ValueError, match="give one alone"):
        train(few, RECIPE, sampler=sampler_of(few, RS2()), recorder=recorder)


def test_the_weights_of_a_sampler_weigh_the_losses(few):
    weights = np.linspace(0.1, 3, 60)
    subset = Subset(np.arange(60), 150, "weighted", few.fingerprint, weights)
    whole_batch, goal = replace(RECIPE, batch_size=64), Goal("steps", 5)
    nets = [
        train(few, whole_batch, goal=goal, **more).net.state_dict()
        for more in ({"subset": subset}, {"sampler": sampler_of(few, Fixed(subset))}, {"subset": np.arange(60)})
    ]
    for name, value in nets[0].items():
        assert torch.allclose(value, nets[1][name], atol=1e-5), name
    assert any(not torch.allclose(value, nets[2][name], atol=1e-3) for name, value in nets[0].items())


def test_goals_are_checked():
    with pytest.raises(ValueError, match="above 0"):
        Goal("samples", 0)
    with pytest.raises(ValueError, match="did you mean 'samples'"):
        Goal("sample", 10)


def test_an_epoch_without_examples_is_refused_before_a_proxy_is_trained(few, tmp_path):
    with pytest.raises(ValueError, match="has none: give a larger fraction"):
        dynamic_sampler(few, "FactorCurriculum", 1e-4, folder=tmp_path, device="cpu", progress=False)
    assert not list(tmp_path.iterdir())


def test_a_sampler_in_one_call(few, tmp_path):
    proxy, name = RECIPE.for_epochs(2), "FactorCurriculum[autoencoder=Autoencoder[units=16, k=2, steps=20]]"
    sampler, again = (
        dynamic_sampler(few, name, 0.4, proxy=proxy, folder=tmp_path, device="cpu", progress=False) for _ in range(2)
    )
    assert sampler.identity == again.identity
    trained = train(few, RECIPE, sampler=sampler)
    assert trained.examples_seen == 6 * 60
    assert set(sampler.examples.values) == {"representativeness", "rarity"}
    by_score = "FactorCurriculum[representativeness=AUM, rarity=EL2N]"
    ranks = dynamic_sampler(few, by_score, 0.4, proxy=proxy, device="cpu", progress=False).examples.values
    for value in ranks.values():
        assert (value.min(), value.max()) == (0, 1)
