"""Findings about examples that are equal, or look the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .contents import Contents
from .findings import Finding, Weight, counted
from .near import DISTANCE, LEAST, NearPairs, near_pairs
from .reading import Readings

__all__ = ["of_equal", "of_near"]

EQUAL = {"images": "pixel by pixel", "texts": "but for case and punctuation"}
"""In which way examples of a kind are equal."""


def of_equal(contents: Contents, readings: Readings) -> Iterator[Finding]:
    """Equal examples with different labels, between the two splits, and within each."""
    groups, in_test, labels = _equal(contents, readings), contents.in_test, contents.labels
    noun, how = contents.kind[:-1], EQUAL[contents.kind]
    across = [group for group in groups if 0 < in_test[group].sum() < len(group)]
    count = sum(int(in_test[group].sum()) for group in across)
    text = f"{counted(count, f'test {noun}')} also in the training split, {how}"
    remedy = "leave them out of one of the splits: a network may know their labels by heart"
    yield from _grouped(contents, "in-both-splits", "wrong", across, count, text, remedy)
    differing = [group for group in groups if len(set(labels[group].tolist())) > 1]
    text = f"{counted(len(differing), 'group')} of equal {contents.kind} with different labels"
    remedy = "correct the labels, or leave them out"
    yield from _grouped(contents, "different-labels", "wrong", differing, len(differing), text, remedy)
    for split, inside in (("training", ~in_test), ("test", in_test)):
        within = [part for group in groups if len(part := group[inside[group]]) > 1]
        count = sum(len(group) - 1 for group in within)
        text = f"{counted(count, f'{split} {noun}')} equal to an earlier one, {how}"
        name, remedy = f"equal-in-{split}", "leave out all but one of each"
        yield from _grouped(contents, name, "know", within, count, text, remedy)


def of_near(contents: Contents, readings: Readings) -> Iterator[Finding]:
    """Images that look the same and have different labels, and those between the two splits, and within each."""
    near = near_pairs(readings, contents.in_test)
    tests = contents.in_test[near.pairs].sum(1)
    one, other = contents.labels[near.pairs].T
    for name, chosen, whose in (
        ("near-with-different-labels", one != other, "of images with different labels"),
        ("near-between-splits", tests == 1, "of a training and a test image"),
        ("near-in-training", tests == 0, "of training images"),
        ("near-in-test", tests == 2, "of test images"),
    ):
        pairs = near.pairs[chosen]
        text = f"{counted(len(pairs), 'pair')} {whose} that look the same"
        yield from _grouped(contents, name, "know", pairs, len(pairs), text, _measure(near))


def _measure(near: NearPairs) -> str:
    """How pairs were judged, and what to do."""
    text = f"look at them: their hashes differ in at most {DISTANCE} of 64 bits, and their thumbnails correlate by at "
    text += f"least {near.least:g}"
    if near.total > len(near.pairs):
        text += f" (those of {near.total:,} pairs do by {LEAST[0]:g}: the images of this set are alike)"
    return text


def _equal(contents: Contents, readings: Readings) -> list[np.ndarray]:
    """The places of equal examples, rising, in groups of two or more; those that say nothing are left out."""
    counts = readings.readable & ~(readings.empty & (contents.kind == "texts"))
    places = np.flatnonzero(counts)
    _, group_of, sizes = np.unique(readings.digests[places], return_inverse=True, return_counts=True)
    several = sizes[group_of] > 1
    places, group_of = places[several], group_of[several]
    order = np.argsort(group_of, kind="stable")
    cuts = np.flatnonzero(np.diff(group_of[order])) + 1
    groups = np.split(places[order], cuts) if len(order) else []
    return sorted(groups, key=lambda group: int(group[0]))


def _grouped(
    contents: Contents,
    name: str,
    weight: Weight,
    groups: Sequence[np.ndarray] | np.ndarray,
    count: int,
    text: str,
    remedy: str,
) -> Iterator[Finding]:
    """A finding about groups of examples, if there are any."""
    if len(groups):
        members = tuple(tuple(contents.example(place) for place in group) for group in groups)
        yield Finding(name, weight, count, text, remedy, members)
