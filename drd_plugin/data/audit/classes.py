"""Findings about the sizes of classes, and what a fraction leaves in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, lgamma

import numpy as np

from ...core.shares import budget_of, largest_remainders
from .contents import Contents
from .findings import Finding, Share, Weight, counted

__all__ = ["FRACTIONS", "of_classes", "of_shares", "shares_of"]

FRACTIONS = (0.01, 0.1, 0.3)
"""The fractions that are looked at where none are chosen."""

NEIGHBOURS = 5
"""The number of neighbours by which D2 links the examples of a class, by default."""

IMBALANCE = 3
"""How many times the smallest class goes into the largest from which on a set is called imbalanced."""

RISK, LIKELY = 0.01, 0.5
"""The chances to lose a class from which on it is named, and counts as lost."""


def of_classes(contents: Contents) -> Iterator[Finding]:
    """Classes that lack examples, or have few."""
    train, test = contents.counts("train"), contents.counts("test")
    single = (train == 1) & (len(contents.test) == 0)
    text, remedy = "with one example, so that no fifth can be held out", "add examples or a test split, or leave it out"
    yield from _of_some(contents, "cannot-be-held-out", "wrong", single, text, remedy)
    if len(contents.test):
        remedy = "add examples, or leave the class out of the other split"
        yield from _of_some(contents, "no-test-example", "wrong", test == 0, "without a test example", remedy)
        yield from _of_some(contents, "no-training-example", "wrong", train == 0, "without a training example", remedy)
    small = (train > 0) & (train <= NEIGHBOURS)
    text = f"with at most {NEIGHBOURS} training examples, too few for D2's graph of a class"
    yield from _of_some(contents, "small-classes", "know", small, text, "add examples, or use other methods")
    present = np.flatnonzero(train)
    smallest, largest = (int(f(train[present])) for f in (np.min, np.max))
    if largest >= IMBALANCE * smallest:
        names = [f"{contents.classes[c]} ({train[c]:,})" for c in present[np.argsort(train[present], kind="stable")]]
        ratio = largest // smallest
        text = f"{ratio:,} times as many training examples in the largest class, {names[-1]}, as in the smallest"
        yield Finding("imbalance", "know", ratio, text, "compare accuracies of classes too", lines=tuple(names))


def _of_some(
    contents: Contents, name: str, weight: Weight, chosen: np.ndarray, text: str, remedy: str
) -> Iterator[Finding]:
    """A finding about some classes, if there are any."""
    names = tuple(contents.classes[c] for c in np.flatnonzero(chosen))
    if names:
        text = f"{counted(len(names), 'class', 'classes')} {text}"
        yield Finding(name, weight, len(names), text, remedy, lines=names)


def shares_of(contents: Contents, fractions: Sequence[float]) -> tuple[Share, ...]:
    """What each fraction leaves in each class of the training split."""
    return tuple(_share(contents, fraction) for fraction in fractions)


def _share(contents: Contents, fraction: float) -> Share:
    counts = contents.counts("train")
    n = int(counts.sum())
    try:
        k = budget_of(fraction, n)
    except ValueError:
        k = 0
    budgets = largest_remainders(k * counts / n, k)
    named = [(contents.classes[c], int(counts[c]), int(budgets[c])) for c in np.flatnonzero(counts)]
    chances = {name: _none_of(count, n, k) for name, count, _ in named}
    return Share(
        fraction,
        k,
        min(budget for _, _, budget in named),
        tuple(name for name, _, budget in named if budget == 0),
        {name: chance for name, chance in chances.items() if chance >= RISK},
    )


def _none_of(count: int, n: int, k: int) -> float:
    """The chance that k of n examples, drawn without replacement, are none of `count` examples."""
    if k > n - count:
        return 0.0
    return exp(lgamma(n - count + 1) - lgamma(n - count - k + 1) - lgamma(n + 1) + lgamma(n - k + 1))


def of_shares(shares: Sequence[Share]) -> Iterator[Finding]:
    """Fractions that lose classes: those that a share in proportion empties, or most random subsets do not have."""
    for share in shares:
        lost = {
            name: [
                *(["a share in proportion keeps none"] if name in share.emptied else []),
                *([f"{100 * share.risks[name]:.2g} % of random subsets have none"] if name in share.risks else []),
            ]
            for name in (*share.emptied, *share.risks)
            if name in share.emptied or share.risks[name] >= LIKELY
        }
        if lost:
            classes, examples = counted(len(lost), "class", "classes"), counted(share.budget, "example")
            text = f"{classes} lost where {share.fraction:g} is kept, {examples}"
            lines = tuple(f"{name}: {', '.join(how)}" for name, how in lost.items())
            yield Finding("lost-classes", "wrong", len(lost), text, "keep more, or add examples", lines=lines)
