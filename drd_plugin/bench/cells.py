"""The cells of a grid: a method, a share of the examples, a budget, a network and a seed each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..core.provenance import digest
from ..core.seeds import Seeds
from ..dynamic import Dynamic, Plan
from ..methods import Selector
from ..strategies.base import budget_of
from ..training.recipe import Goal, Recipe
from .session import Session

__all__ = ["Budget", "Cell", "CellsOfOneSubset", "Terms", "cells_of"]


@dataclass(frozen=True)
class Budget:
    """The budget of a training.

    Arguments:
        axis: The unit: `samples`, `steps`, or `wall` (seconds of everything, from scores to training).
        share: The amount, as a share of what the full training takes.
    """

    axis: Literal["samples", "steps", "wall"]
    share: float

    def goal(self, recipe: Recipe, n: int, full_seconds: float | None = None, spent: float = 0.0) -> Goal:
        """The goal at which a training with this budget ends.

        Arguments:
            recipe: The recipe of the full training.
            n: The number of training examples.
            full_seconds: The seconds of the full training, for `wall`; None for that training itself.
            spent: The seconds spent before the training, for `wall`.

        Raises:
            ValueError: If the budget is spent before the training.
        """
        steps = self.share * recipe.total_steps(n)
        if self.axis == "steps" or (self.axis == "wall" and full_seconds is None):
            return Goal("steps", round(steps))
        if self.axis == "samples":
            return Goal("samples", steps * n / recipe.steps_per_epoch(n))
        total = self.share * (full_seconds or 0.0)
        if total <= spent:
            raise ValueError(f"it takes {spent:.0f} s before the training, of {total:.0f} s in all")
        return Goal("wall", total - spent)


@dataclass(frozen=True)
class Terms:
    """The terms on which methods are compared.

    Arguments:
        budgets: The budgets of a training, of one axis; without any, each training is as long as the recipe says.
        slope: How the share of an epoch rises in dynamic methods that do not determine it themselves; see `Plan`.
        full_last: The last share of the training in which these see all examples; see `Plan`.
    """

    budgets: tuple[Budget, ...] = ()
    slope: float = 0.0
    full_last: float = 0.0


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Arguments:
        name: The method's name in tables.
        static: The method, if it is static.
        dynamic: The method, if it is dynamic; the full training has neither.
        plan: How many examples an epoch has.
        budget: The budget of the training; None for the length that the recipe gives.
        seed: The grid's seed.
        seeds: The single seeds.
        recipe: How the network is trained.
        key: The digest of all that determines the run.
    """

    name: str
    static: Selector | None
    dynamic: Dynamic | None
    plan: Plan
    budget: Budget | None
    seed: int
    seeds: Seeds
    recipe: Recipe
    key: str

    def __str__(self) -> str:
        budget = "" if self.budget is None else f" budget {self.budget.share:g}"
        return f"{self.selection}{budget} seed {self.seed}"

    @property
    def selection(self) -> str:
        """The method and the share, for messages."""
        return f"{self.name} {f'{100 * self.fraction:g} %' if self.fraction else 'of its own share'}"

    @property
    def method(self) -> Selector | Dynamic | None:
        """The method; None for the full training."""
        return self.dynamic if self.static is None else self.static

    @property
    def fraction(self) -> float:
        """The share of the examples that is kept; 0 for a method that determines it itself."""
        return 0.0 if self.dynamic is not None and self.dynamic.sizes_itself else self.plan.fraction

    @property
    def is_reference(self) -> bool:
        """Whether it is the full training with the full budget, with which the others are compared."""
        return self.method is None and (self.budget is None or self.budget.share == 1)


@dataclass(frozen=True)
class CellsOfOneSubset:
    """The cells whose networks are trained on one subset, so that one worker selects it for all."""

    cells: tuple[Cell, ...]

    def __str__(self) -> str:
        return str(self.cells[0])


def cells_of(session: Session, terms: Terms = Terms()) -> Iterator[Cell]:
    """All cells, seed by seed, so that a stopped grid has complete seeds; each begins with the full trainings.

    Raises:
        ValueError: If a fraction keeps no example, or an epoch would have none.
    """
    grid = session.grid
    for fraction in grid.fractions:
        budget_of(fraction, len(session.dataset.train))
    budgets: list[Budget | None] = [*terms.budgets] or [None]
    full = [budget and replace(budget, share=1.0) for budget in budgets[:1]]
    for seed in grid.seeds:
        for net in grid.trained_nets:
            for budget in dict.fromkeys([*full, *budgets]):
                yield _cell(session, "Full", None, None, Plan(1.0), budget, seed, net)
        for budget in budgets:
            for name, method in grid.parsed.items():
                static, dynamic = (None, method) if isinstance(method, Dynamic) else (method, None)
                for plan in _plans(dynamic, grid.fractions, terms):
                    for net in grid.trained_nets:
                        yield _cell(session, name, static, dynamic, plan, budget, seed, net)


def _plans(dynamic: Dynamic | None, fractions: tuple[float, ...], terms: Terms) -> list[Plan]:
    if dynamic is None:
        return [Plan(fraction) for fraction in fractions]
    if dynamic.sizes_itself:
        return [Plan(1.0)]
    return [Plan(fraction, terms.slope, terms.full_last) for fraction in fractions]


def _cell(
    session: Session,
    name: str,
    static: Selector | None,
    dynamic: Dynamic | None,
    plan: Plan,
    budget: Budget | None,
    seed: int,
    net: str,
) -> Cell:
    grid, split = session.grid, session.dataset
    plan.check(len(split.train))
    seeds, recipe = grid.seeds_of(seed), replace(grid.recipe, net=net)
    common = [grid.identity, split.train.fingerprint, split.test.fingerprint]
    cell = Cell(name, static, dynamic, plan, budget, seed, seeds, recipe, key="")
    spec, digests = [] if static is None else static.spec, session.file_digests(cell.method)
    parts: list[Any]
    if budget is None and dynamic is None:
        parts = [None if static is None else [name, *spec], digests, plan.fraction]
    else:
        parts = [[name, *spec, dynamic], digests, plan, budget]
    return replace(cell, key=digest([*common, *parts, seeds, recipe]))
