"""The table of scores, strategies, dynamic methods and kinds of split, over which every law of `test_contracts.py`
runs.

A new score, strategy or dynamic method is tested by one row here; a test fails for a registered one that has none.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace

import numpy as np
from diffusers import DDIMScheduler

from drd_plugin.artifacts import Features, Scores
from drd_plugin.data import Split, from_arrays, from_texts
from drd_plugin.diffusion import Fit
from drd_plugin.diffusion.fitting.network import build_network
from drd_plugin.methods import parse_score, parse_strategy
from drd_plugin.scores import FoldScore, MapScore
from drd_plugin.scoring import record, score
from drd_plugin.strategies.strata import strata_of
from drd_plugin.training import Recipe


def pictures(labels, name, duplicated=False, floating=False):
    """Images of 8 x 8 pixels whose brightness goes with the class."""
    labels, rng = np.asarray(labels), np.random.default_rng(0)
    classes = labels.max() + 1
    images = rng.integers(0, 100, (len(labels), 1, 8, 8)) + (150 * labels / classes).astype(int)[:, None, None, None]
    if duplicated:
        images[labels == 0] = images[labels == 0][0]
    return from_arrays(name, images / 255 if floating else images.astype(np.uint8), labels)


def sentences(labels, name):
    """Texts with one word that goes with the class, among others."""
    rng = np.random.default_rng(0)
    other = [f"word{i}" for i in range(20)]
    texts = [" ".join(rng.permutation([f"class{c}", *rng.choice(other, 4)])) for c in labels]
    return from_texts(name, texts, np.asarray(labels))


SPLITS: dict[str, Callable[[], Split]] = {
    "usual": lambda: pictures(np.arange(60) % 3, "usual"),
    "a class of one": lambda: pictures([0] * 30 + [1] * 29 + [2], "a_class_of_one"),
    "two classes": lambda: pictures([0] * 40 + [1] * 20, "two_classes"),
    "300 classes of three": lambda: pictures(np.arange(900) % 300, "many_classes"),
    "duplicated images": lambda: pictures(np.arange(60) % 3, "duplicated", duplicated=True),
    "float images": lambda: pictures(np.arange(60) % 3, "floating", floating=True),
    "texts": lambda: sentences(np.arange(60) % 3, "texts"),
}
"""The kinds of split."""

SCORES = {
    "Uniform": "Uniform",
    "Forgetting": "Forgetting",
    "EL2N": "EL2N[first_epochs=3]",
    "AUM": "AUM",
    "Moderate": "Moderate",
    "DynUnc": "DynUnc[window=3]",
    "TDDS": "TDDS[window=3, first_epochs=6]",
    "DUAL": "DUAL[window=3, first_epochs=6]",
    "Confidence": "Confidence",
    "DRD": "DRD[draws=2, timestep=6, steps=20, distance=mse, denoiser={denoiser}]",
    "ELBO": "ELBO[draws=2, steps=20, denoiser={denoiser}]",
}
"""A quick variant of each registered score."""

STRATEGIES = {
    "Hardest": "Hardest",
    "Window": "Window",
    "Strata": "Strata[cutoff=0]",
    "Strata, cut off": "Strata[cutoff=0.1]",
    "BestWindow": "BestWindow[proxy_epochs=1, step=0.25]",
    "BestWindow, trained": "BestWindow[selector=train, step=0.25]",
    "D2": "D2[cutoff=0]",
    "D2, global": "D2[cutoff=0, graph=global]",
    "BetaSampling": "BetaSampling",
    "ClassQuotas": "ClassQuotas",
    "PerClass": "PerClass[inner=Hardest]",
}
"""Each registered strategy, and variants that go another way."""

DRAWN = {
    "Strata": lambda scores, index: np.bincount(strata_of(scores.values, 50)[index], minlength=50),
    "Strata, cut off": lambda scores, index: len(index),
    "BetaSampling": lambda scores, index: len(index),
    "ClassQuotas": lambda scores, index: len(index),
}
"""The strategies that draw among examples, and what another order of the data leaves as it was: how many there are of
each stratum; a cut-off is by another score, BetaSampling draws freely, and ClassQuotas first draws those held out.
"""

DYNAMIC_METHODS = (
    "RandomDynamic",
    "RS2",
    "InfoBatch",
    "EpsilonGreedy",
    "UCB",
    "RCAP",
    "FactorCurriculum",
    "FactorCurriculum[rarity=AUM, unbiased=true]",
)
"""Each registered dynamic method, and a variant that goes another way."""

RECIPE = {"images": Recipe(net="lenet", epochs=7, batch_size=64, lr=0.02, evaluations=1)}
RECIPE["texts"] = Recipe(net="textcnn", epochs=7, batch_size=64, lr=0.02, evaluations=1)


@cache
def split_of(kind: str) -> Split:
    """One of the splits."""
    return SPLITS[kind]()


@cache
def denoiser_of(num_classes: int) -> Path:
    """An untrained denoiser of 8 x 8 pixels, in the format that `fit` writes."""
    folder = Path(mkdtemp()) / f"denoiser-{num_classes}"
    split = pictures(np.arange(num_classes), "any")
    fit = Fit(channels=(8, 16))
    build_network(fit, split).save_pretrained(folder / "unet")
    (folder / "card.json").write_text(json.dumps({"fit": {}, "classes": list(split.classes)}))
    DDIMScheduler(clip_sample=False, prediction_type=fit.prediction_type).save_pretrained(folder / "scheduler")
    return folder


def score_named(name: str, split: Split):
    """A score of the table for a split."""
    text = SCORES[name]
    return parse_score(text.format(denoiser=denoiser_of(split.num_classes)) if "{" in text else text)


@cache
def scores_of(kind: str, seed: int = 0) -> dict[str, Scores]:
    """All scores of a split by name, and one in which all examples are equal; folds from one recorded pass."""
    split = split_of(kind)
    scores = {name: score_named(name, split) for name in SCORES}
    folds = [each for each in scores.values() if isinstance(each, FoldScore)]
    recorded = record(split, folds, proxy=RECIPE[split.kind], seed=seed, device="cpu", progress=False)
    values = dict(zip(folds, recorded, strict=True))
    for each in scores.values():
        if isinstance(each, MapScore) and not each.why_not(split):
            values[each] = score(split, each, seed=seed, device="cpu", progress=False)
    table = {name: values[each] for name, each in scores.items() if each in values}
    equal = np.ones((len(split), 1), np.float32)
    return table | {"all equal": Scores("Equal", equal, split.labels, True, split.fingerprint)}


@dataclass
class PretendWorkbench:
    """A workbench without networks: predictions and features depend on the subset in a fixed way."""

    scores_by_name: dict[str, Scores]
    labels: np.ndarray
    settings: dict = field(default_factory=dict)
    requests: dict = field(default_factory=dict)

    def scores(self, name):
        return self.scores_by_name[name.partition("[")[0]]

    def features(self):
        return Features(self.features_after(np.arange(len(self.labels)), 1))

    def factors(self, source, autoencoder):
        values = self.features_after(np.arange(len(self.labels)), 1)
        return SimpleNamespace(representativeness=values[:, 0], rarity=values[:, 1])

    def predictions(self, indices):
        known = np.isin(np.arange(len(self.labels)) % 7, np.unique(indices % 7)[:4])
        return np.where(known, self.labels, -1)

    def features_after(self, indices, epochs):
        rng = np.random.default_rng(int(np.sum(indices)) % 2**31)
        return (rng.normal(size=(len(self.labels), 4)) + self.labels[:, None]).astype(np.float32)


def strategy_named(name: str):
    """A strategy of the table."""
    return parse_strategy(STRATEGIES[name])


def workbench_of(kind: str) -> PretendWorkbench:
    """A workbench for a split."""
    return PretendWorkbench(scores_of(kind), split_of(kind).labels)
