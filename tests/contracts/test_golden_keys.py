"""The keys of caches, subsets and runs, as they stood before the modules moved: results of then are found today.

`golden_keys.json` was written by the first edition (commit e40375d). A key may change only where what it stands for
changes, and then its results must be computed anew.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drd_plugin.artifacts import Scores
from drd_plugin.bench import Session, Workers, find_experiment
from drd_plugin.bench.cells import Budget, Terms, cells_of
from drd_plugin.core.job import Job
from drd_plugin.core.provenance import digest
from drd_plugin.data import load
from drd_plugin.diffusion import Fit
from drd_plugin.dynamic import DYNAMIC, DynamicSampler, Examples, Plan, parse_dynamic
from drd_plugin.factors import Autoencoder, find_source
from drd_plugin.factors.make import factors_identity
from drd_plugin.methods import METHODS, parse_score
from drd_plugin.scores import SCORES
from drd_plugin.scoring import ScoreCache
from drd_plugin.strategies import STRATEGIES
from drd_plugin.training import PROXY, Recipe

GOLDEN = json.loads((Path(__file__).parent / "golden_keys.json").read_text())
SCORES_OF_FASHION = Path(__file__).parents[2] / "benchmarks" / "scores" / "fashion_mnist"
WORKERS = Workers(Path("nowhere"), device="cpu", workers=1)
METHOD_NAMES = (
    "Random", "Forgetting", "CCS", "BWS", "D2", "DUAL", "DRoP", "DRD", "ELBO", "DRD+CCS",
    "EL2N[first_epochs=10]+PerClass[inner=Window]", "DRD[timestep=20]",
)  # fmt: skip


@pytest.fixture(scope="module")
def static():
    """A session of the main experiment with twelve methods."""
    grid = find_experiment("main").grid
    return Session(replace(grid, methods=METHOD_NAMES, fractions=(0.1, 0.3), seeds=(0, 2)), WORKERS)


@pytest.fixture(scope="module")
def dynamic():
    """A session of the experiment with dynamic methods."""
    return Session(replace(find_experiment("dynamic").grid, fractions=(0.3,), seeds=(1,)), WORKERS)


def test_folders_of_scores(digits):
    cache = ScoreCache(digits.train, PROXY, job=Job(folder=Path("nowhere")))
    names = {name: [cache.folder_of(parse_score(name), seed).name for seed in (0, 3)] for name in GOLDEN["scores"]}
    assert names == GOLDEN["scores"]
    assert cache.features_file(1) == GOLDEN["features"]


def test_descriptions_of_settings():
    registries = {"score": SCORES, "strategy": STRATEGIES, "dynamic": DYNAMIC}
    digests = {f"{kind} {name}": digest(make()) for kind, known in registries.items() for name, make in known.items()}
    digests |= {f"method {name}": digest(method.spec) for name, method in METHODS.items()}
    digests |= {kind.__name__: digest(kind()) for kind in (Recipe, Fit, Autoencoder)}
    assert {name: digests[name] for name in GOLDEN["descriptions"]} == GOLDEN["descriptions"]


def test_keys_of_runs_and_subsets(static):
    grid = static.grid
    assert {f"{cell.name} {cell.fraction:g} {cell.seed}": cell.key for cell in cells_of(static)} == GOLDEN["runs"]
    subsets = {
        f"{method.name} {fraction:g}": static.subset_key(method, fraction, grid.seeds_of(2))
        for method in grid.static
        for fraction in grid.fractions
    }
    assert subsets == GOLDEN["subsets"]
    assert {method.name: static.key(method, 2, "class", 5, 1) for method in grid.static} == GOLDEN["rows"]


def test_keys_of_runs_with_budgets(dynamic):
    terms = Terms((Budget("samples", 0.5), Budget("samples", 1.0)), slope=0.1, full_last=0.05)
    keys = {f"{c.name} {c.fraction:g} {c.budget.share:g} {c.seed}": c.key for c in cells_of(dynamic, terms)}
    assert keys == GOLDEN["budgets"]
    assert digest(dynamic.identity(study="mixed", axis="samples")) == GOLDEN["identity"]


def test_identities_of_factors_and_samplers(digits):
    assert digest(factors_identity(digits.train, find_source("proxy"), Autoencoder(k=8), 1)) == GOLDEN["factors"]
    examples = Examples(digits.train.labels, 10, digits.train.fingerprint)
    samplers = {
        name: DynamicSampler(parse_dynamic(name), examples, Plan(0.3), epochs=5, seed=1).identity
        for name in GOLDEN["samplers"]
    }
    assert samplers == GOLDEN["samplers"]


def test_fingerprints_of_the_data(digits):
    splits = {"digits train": digits.train, "digits test": digits.test}
    try:
        fashion = load("fashion_mnist")
        splits |= {"fashion_mnist train": fashion.train, "fashion_mnist test": fashion.test}
    except ValueError:  # not installed on this machine
        pass
    fingerprints = {name: split.fingerprint for name, split in splits.items()}
    assert fingerprints == {name: GOLDEN["fingerprints"][name] for name in fingerprints}


def test_folders_of_scores_of_the_first_edition_are_read():
    stored = {folder.name: Scores.load(folder) for folder in SCORES_OF_FASHION.iterdir()}
    assert sorted(scores.name for scores in stored.values()) == ["DRD", "ELBO"]
    for scores in stored.values():
        assert scores.fingerprint == GOLDEN["fingerprints"]["fashion_mnist train"]
        assert len(scores) == 60000
        assert np.isfinite(scores.estimates).all()


def test_folders_of_scores_of_the_first_edition_are_found():
    try:
        split = load("fashion_mnist").train
    except ValueError:
        pytest.skip("Fashion-MNIST is not installed")
    grid = find_experiment("main", "fashion_mnist").grid
    cache = ScoreCache(split, grid.proxy, job=Job(folder=SCORES_OF_FASHION))
    for name in ("DRD", "ELBO"):
        assert (cache.folder_of(grid.method(name).scores[0], 0) / "plan.json").exists(), name
