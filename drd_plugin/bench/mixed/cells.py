"""The cells of a comparison of static and dynamic selection: which method, which share of an epoch, which budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ...dynamic import Dynamic, Plan
from ...methods import Selector
from ...provenance import digest
from ...rng import Seeds
from ...training.goal import Goal
from ...training.recipe import Recipe
from ..bench import Bench

__all__ = ["Budget", "Cell", "cells_of"]


@dataclass(frozen=True)
class Budget:
    """What a training may cost.

    Arguments:
        axis: What is counted: `samples`, `steps`, or `wall` (seconds of everything, from scores to training).
        share: As a share of what the full training takes.
    """

    axis: Literal["samples", "steps", "wall"]
    share: float

    def goal(self, recipe: Recipe, n: int, full_seconds: float | None = None, spent: float = 0.0) -> Goal:
        """When a training with this budget ends.

        Arguments:
            recipe: How the full training goes.
            n: The number of training examples.
            full_seconds: What the full training took, for `wall`; None for that training itself.
            spent: What was spent before the training, for `wall`.

        Raises:
            ValueError: If nothing is left.
        """
        steps = self.share * recipe.total_steps(n)
        if self.axis == "steps" or (self.axis == "wall" and full_seconds is None):
            return Goal("steps", round(steps))
        if self.axis == "samples":
            return Goal("samples", steps * n / recipe.steps_per_epoch(n))
        whole = self.share * (full_seconds or 0.0)
        if whole <= spent:
            raise ValueError(f"it takes {spent:.0f} s before the training, of {whole:.0f} s in all")
        return Goal("wall", whole - spent)


@dataclass(frozen=True)
class Cell:
    """One run to do; without `static` and `dynamic` the full training."""

    static: Selector | None
    dynamic: Dynamic | None
    name: str
    plan: Plan
    budget: Budget
    seed: int
    seeds: Seeds
    recipe: Recipe
    key: str

    def __str__(self) -> str:
        share = f"{100 * self.fraction:g} %" if self.fraction else "of its own share"
        return f"{self.name} {share} budget {self.budget.share:g} seed {self.seed}"

    @property
    def fraction(self) -> float:
        """The share of an epoch; 0 for a method that decides it itself."""
        return 0.0 if self.dynamic is not None and self.dynamic.sizes_itself else self.plan.fraction

    @property
    def full(self) -> bool:
        """Whether it is the full training with the whole budget, against which the others are held."""
        return self.name == "Full" and self.budget.share == 1


def cells_of(bench: Bench, budgets: list[Budget], slope: float = 0.0, full_last: float = 0.0) -> Iterator[Cell]:
    """All runs, seed by seed; a seed's full training is its first. `slope` and `full_last` are those of the plans of
    dynamic methods.

    Raises:
        ValueError: If an epoch would have no examples.
    """
    grid, whole = bench.grid, replace(budgets[0], share=1.0)
    for seed in grid.seeds:
        for net in grid.trained_nets:
            for budget in dict.fromkeys([whole, *budgets]):
                yield _cell(bench, "Full", None, None, Plan(1.0), budget, seed, net)
            for budget in budgets:
                for method in grid.parsed:
                    for fraction in grid.fractions:
                        yield _cell(bench, method.name, method, None, Plan(fraction), budget, seed, net)
                for name, dynamic in grid.dynamic.items():
                    sized = [] if dynamic.sizes_itself else [Plan(of, slope, full_last) for of in grid.fractions]
                    for plan in sized or [Plan(1.0)]:
                        yield _cell(bench, name, None, dynamic, plan, budget, seed, net)


def _cell(
    bench: Bench,
    name: str,
    static: Selector | None,
    dynamic: Dynamic | None,
    plan: Plan,
    budget: Budget,
    seed: int,
    net: str,
) -> Cell:
    grid, split = bench.grid, bench.dataset
    plan.check(len(split.train))
    seeds, recipe = grid.seeds_of(seed), replace(grid.recipe, net=net)
    made = [
        grid.identity,
        split.train.fingerprint,
        split.test.fingerprint,
        [name, *(static.definition if static else []), dynamic],
        bench.inputs(static or dynamic),
        plan,
        budget,
        seeds,
        recipe,
    ]
    return Cell(static, dynamic, name, plan, budget, seed, seeds, recipe, digest(made))
