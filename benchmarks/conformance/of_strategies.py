"""Each strategy beside the public code that selects so, on the same scores and features."""

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from borrow import borrowed, folder
from dynamics import Dynamics

from drd_plugin.scores import AUM, DUAL, EL2N, Forgetting, Moderate
from drd_plugin.strategies import BestWindow, Strata, Window, budget_of
from drd_plugin.strategies.best_window import window_at
from drd_plugin.strategies.beta_sampling import beta_parameters, density
from drd_plugin.strategies.class_quotas import quotas
from drd_plugin.strategies.cutoff import cut_off
from drd_plugin.strategies.d2 import neighbour_graph, select_by_messages
from drd_plugin.strategies.ridge import best_by_ridge
from drd_plugin.strategies.strata import strata_of

__all__ = ["STRATEGY_CHECKS", "bws_of"]


def same(ours: np.ndarray, theirs: np.ndarray, note: str = "") -> tuple[bool, str]:
    """Whether two selections are the same."""
    one, other = set(np.asarray(ours).tolist()), set(np.asarray(theirs).tolist())
    return one == other, f"{len(one & other)} of {len(one)} kept examples are the same{note}"


def moderate(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """Moderate's function gives what is dropped."""
    theirs = borrowed(folder(checkouts, "2023_ICLR_Moderate-DS") / "selection.py", "get_prune_idx")
    scores = d.ours(Moderate())
    dropped = theirs.get_prune_idx(SimpleNamespace(rate=0.3), scores.values)
    left = np.setdiff1d(np.arange(len(scores)), dropped)
    ours = Window().select(scores, len(left), np.random.default_rng(0)).indices
    return same(ours, left)


def d2_moderate(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """D2's copy of Moderate uses the dropped ones as the subset."""
    theirs = borrowed(
        folder(checkouts, "d2pruning") / "core/data/Coreset.py", "get_median", "get_distance",
        "CoresetSelection.moderate_selection", staticmethod=lambda function: function,
    )  # fmt: skip
    theirs_kept = theirs.moderate_selection({"targets": d.labels.numpy()}, 0.3, d.features)
    ours = Window().select(d.ours(Moderate()), len(theirs_kept), np.random.default_rng(0)).indices
    return same(ours, theirs_kept, "; theirs keeps both tails")


def ccs(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """CCS's cut-off and strata; which examples of a stratum is random in both."""
    script = folder(checkouts, "Coverage-centric-coreset-selection") / "core/data/Coreset.py"
    theirs = borrowed(script, "CoresetSelection", print=lambda *_: None).CoresetSelection
    aum, el2n, n = d.ours(AUM()), d.ours(EL2N()), len(d.labels)
    k, dropped = int(0.1 * n), int(0.3 * n)
    data = {"accumulated_margin": torch.from_numpy(aum.values), "el2n": torch.from_numpy(el2n.values)}
    data, easy = theirs.mislabel_mask(data, "accumulated_margin", dropped, False, "el2n")
    torch.manual_seed(0)
    chosen, _ = theirs.stratified_sampling(data, "el2n", k)
    selected = easy[chosen].numpy()
    workbench = SimpleNamespace(scores=lambda name: aum)
    ours_easy, _ = cut_off(el2n, k, 0.3, "AUM", np.random.default_rng(0), workbench)
    ours = Strata(cutoff=0.3).select(el2n, k, np.random.default_rng(0), workbench).indices
    stratum = np.full(n, -1)
    stratum[ours_easy] = strata_of(el2n.values[ours_easy], 50)
    sizes = np.bincount(stratum[ours_easy], minlength=50)
    counts = [np.bincount(stratum[indices], minlength=50) for indices in (ours, selected)]
    by_size = [count[np.lexsort((count, sizes))] for count in counts]
    agreed = set(ours_easy.tolist()) == set(easy.tolist()) and np.array_equal(*by_size)
    text = f"the same {len(easy)} after the cut-off, {(by_size[0] == by_size[1]).sum()} of 50 strata give as many"
    return (
        agreed,
        f"{text} (EL2N, 10 %, cut-off 0.3; strata of equal size in any order); which examples is random in both",
    )


def bws_of(labels: np.ndarray, measure: np.ndarray, fraction: float, checkouts: Path) -> SimpleNamespace:
    """BWS's windows, ridge regression and accuracy, for a measure float64[n] whose largest values are the hardest."""
    script = folder(checkouts, "BWS") / "experiment/regression.py"
    theirs = borrowed(
        script,
        "SaveRegressionacc.get_window_idx",
        "SaveRegressionacc.cal_w_regression",
        "SaveRegressionacc.check_acc",
        accuracy=lambda out, y, topk: (100.0 * (out.argmax(1) == y).sum(),),
    )
    places = defaultdict(list)
    for i, label in enumerate(labels.tolist()):
        places[label].append(i)
    watch = SimpleNamespace(labels=places, measure=measure, pruning=fraction, device="cpu")
    return SimpleNamespace(
        window=lambda start: np.array(theirs.get_window_idx(watch, start)),
        fit=lambda x, y: theirs.cal_w_regression(watch, x, y, 1),
        accuracy=lambda w, x, y: theirs.check_acc(watch, w, x, y),
    )


def bws_windows(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """Windows of a score without ties, whose spread the jitter does not reach."""
    scores, fraction = d.ours(AUM()), 0.2
    theirs, starts = (
        bws_of(d.labels.numpy(), -scores.values.astype(np.float64) * 1e4, fraction, checkouts),
        np.arange(17) * 0.05,
    )
    ranks = BestWindow().rankings(scores, np.random.default_rng(0))
    differing = []
    for start in starts:
        window = theirs.window(start)
        sizes = np.bincount(d.labels[window].numpy(), minlength=len(ranks))
        differing.append(len(set(window.tolist()) ^ set(window_at(ranks, sizes, start).tolist())))
    return max(differing) == 0, f"{differing.count(0)} of {len(differing)} windows are the same (AUM, 20 %)"


def bws_ridge(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """The accuracies of the same windows by ridge regression."""
    theirs = bws_of(d.labels.numpy(), d.ours(Forgetting()).values.astype(np.float64), 0.1, checkouts)
    np.random.seed(0)  # noqa: NPY002
    windows = [theirs.window(start) for start in np.arange(0, 0.9001, 0.05)]
    x = torch.from_numpy(np.concatenate([np.ones((len(d.labels), 1), np.float32), d.features], axis=1))
    accuracies = [theirs.accuracy(theirs.fit(x[w], d.labels[w]), x, d.labels) for w in windows]
    best, ours = best_by_ridge(
        d.features, d.labels.numpy(), windows, np.arange(len(d.labels)), np.random.default_rng(0)
    )
    gap = float(np.abs(ours - np.array(accuracies)).max())
    text = f"accuracies of {len(windows)} windows at most {gap:.2f} points apart (theirs in single precision)"
    return best == int(np.argmax(accuracies)) and gap < 0.2, f"{text}; the same window is best"


def _d2(d: Dynamics, checkouts: Path, pools: list[np.ndarray], fraction: float) -> tuple[bool, str]:
    """D2's graph sampler on graphs of their own for some pools, by EL2N."""
    from copy import deepcopy

    from sklearn.metrics import pairwise_distances
    from sklearn.neighbors import kneighbors_graph

    sampler = borrowed(
        folder(checkouts, "d2pruning") / "core/data/sampling.py", "GraphDensitySampler", SamplingMethod=_Flat,
        pairwise_distances=pairwise_distances, kneighbors_graph=kneighbors_graph,
        copy=SimpleNamespace(deepcopy=deepcopy), print=lambda *_: None,
    ).GraphDensitySampler  # fmt: skip
    importance, agreed, total, forward = d.ours(EL2N()).values.astype(np.float64), 0, 0, 0.0
    args = SimpleNamespace(
        graph_mode="sum", graph_sampling_mode="weighted", precomputed_dists="", precomputed_neighbors="", n_neighbor=5
    )
    for members in pools:
        features, x = d.features[members].astype(np.float64), importance[members]
        theirs = sampler(features, None, 0, 0.1, torch.from_numpy(x), args)
        graph = neighbour_graph(features, 5)
        graph.data = np.exp(-graph.data)
        forward = max(forward, float(np.abs(x + graph @ x - theirs.graph_density).max()))
        budget = budget_of(fraction, len(members))
        ours = select_by_messages(features, x, budget, 5, 0.1)
        agreed += len(set(ours.tolist()) & set(map(int, theirs.select_batch_(budget))))
        total += budget
    text = f"{agreed} of {total} kept examples are the same (EL2N, {100 * fraction:g} % of each graph, no cut-off)"
    return agreed == total, f"{text}; importance after the forward pass at most {forward:.0e} apart"


def d2(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """A graph for each class."""
    return _d2(d, checkouts, [np.flatnonzero(d.labels.numpy() == c) for c in range(int(d.labels.max()) + 1)], 0.2)


def d2_global(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """One graph."""
    return _d2(d, checkouts, [np.arange(len(d.labels))], 0.2)


class _Flat:
    """What the sampler inherits."""

    def flatten_X(self) -> np.ndarray:  # noqa: N802
        return self.X  # type: ignore[attr-defined]


def beta(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DUAL's probabilities of being drawn."""
    from scipy.stats import beta

    probabilities = SimpleNamespace(choice=lambda n, p, size, replace: p)
    call = borrowed(
        folder(checkouts, "dual-pruning") / "exp_cifar/data_subset.py", "beta_sampling", beta=beta,
        np=SimpleNamespace(random=probabilities),
    ).beta_sampling  # fmt: skip
    score, mean = d.ours(DUAL(first_epochs=30)).values.astype(np.float64), d.probabilities[:30].mean(axis=0)
    order, worst = score.argsort(), 0.0
    for pruned in (0.3, 0.7, 0.9):
        theirs = np.asarray(call(pruned, 4, d.probabilities.astype(np.float64), order, score))
        weight = density(mean, *beta_parameters(float(mean[order[-10:]].mean()), pruned, 4)) * score
        worst = max(worst, float(np.abs(theirs / (weight / weight.sum()) - 1).max()))
    return worst < 1e-4, f"probabilities at most {worst:.0e} of themselves apart at 30, 70 and 90 % pruned"


def _drop(checkouts: Path, most: float) -> tuple[float, int]:
    """How far apart the quotas of 100 draws are at most, in examples, and the draws where they are more than rounding
    apart; budgets are up to a share `most` of the set.
    """
    rng, worst, differing = np.random.default_rng(0), 0.0, 0
    for _ in range(100):
        recalls, sizes = rng.random(10), rng.integers(200, 400, 10)
        k = int(sizes.sum() * rng.uniform(0.1 * most, most))
        call = borrowed(
            folder(checkouts, "fair-data-pruning") / "quoters/drop.py", "DRoP.__call__",
            aggregate_classwise_metrics=lambda recalls=recalls, **_: recalls,
            get_class_sizes=lambda *_, sizes=sizes: sizes.tolist(),
        ).__call__  # fmt: skip
        data = SimpleNamespace(num_classes=10, get_pool_dataset=lambda _: None)
        theirs = np.array(call(SimpleNamespace(quoter_metric="recall"), data, None, k)) * k
        gap = float(np.abs(theirs - quotas(recalls, sizes, k, by_size=False)).max())
        worst, differing = max(worst, gap), differing + (gap > 2)
    return worst, differing


def drop(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DRoP's quotas for the same recalls and sizes, where no class is full."""
    worst, _ = _drop(checkouts, 0.3)
    return worst <= 2, f"quotas at most {worst:.0f} examples apart in 100 draws without full classes (theirs truncates)"


def drop_full(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """The same where classes become full: the public code takes them out of a list that it is walking through."""
    worst, differing = _drop(checkouts, 0.9)
    distance = f"in {differing} of 100 draws up to {worst:.0f} examples apart"
    return differing == 0, f"{distance}: when a class is full, theirs passes over the next"


STRATEGY_CHECKS = [
    ("Window (Moderate)", "global (default)", "2023_ICLR_Moderate-DS", moderate, True),
    ("Window (Moderate)", "global (default)", "d2pruning", d2_moderate, False),
    ("Strata (CCS)", "official (default)", "Coverage-centric-coreset-selection", ccs, True),
    ("BestWindow (BWS)", "windows, hardest first (default)", "BWS", bws_windows, True),
    ("BestWindow (BWS)", "ridge (default)", "BWS", bws_ridge, True),
    ("D2", "a graph for each class (default)", "d2pruning", d2, True),
    ("D2", "one graph", "d2pruning", d2_global, True),
    ("BetaSampling (DUAL)", "c = 4 (default)", "dual-pruning", beta, True),
    ("ClassQuotas (DRoP)", "metriq", "fair-data-pruning", drop, True),
    ("ClassQuotas (DRoP)", "metriq, full classes", "fair-data-pruning", drop_full, False),
]
"""Strategy, variant, public code, comparison, and whether the definitions are the same."""
