"""What the tests share: the real digits, a tiny split, scores without any training, and a recipe that takes a blink."""

import numpy as np
import pytest
from hypothesis import settings

from drd_plugin.artifacts import Scores
from drd_plugin.data import Split, from_arrays, load
from drd_plugin.training.recipe import Recipe

settings.register_profile("unhurried", deadline=None)  # the first example may pay for an import
settings.register_profile("thorough", deadline=None, max_examples=10_000)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture(scope="session")
def few(digits):
    """The first 150 digits."""
    return Split("few", digits.train.images[:150], digits.train.labels[:150], digits.train.classes)


@pytest.fixture(scope="session")
def tiny():
    """60 images of 3 classes whose mean brightness tells the class."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 60, (60, 1, 8, 8)) + 90 * labels[:, None, None, None]
    return from_arrays("tiny", images.astype(np.uint8), labels)


@pytest.fixture
def recipe():
    return Recipe(steps=6, batch_size=32, evaluations=2)


@pytest.fixture
def make_scores():
    def make(values, labels=None, higher_is_harder=True, name="AUM", fingerprint="made:up"):
        values = np.asarray(values, np.float32)
        labels = np.zeros(len(values), np.int64) if labels is None else np.asarray(labels)
        estimates = values[:, None] if values.ndim == 1 else values
        return Scores(name, estimates, labels, higher_is_harder, fingerprint)

    return make
