"""The published methods: each is a pair of a score and a strategy, and any other pair can be named.

- `DRD`: a published method.
- `DRD+CCS`: DRD's score with CCS's strategy. The left is a score, or a method that stands for its score; the right a
  strategy, or a method that stands for it (not one that keeps the hardest: `DRD+Random` would not be random).
- `DRD[draws=16]+BWS[selector=train]`: with settings; without a plus sign, they go to the side that has such a field.
- `FAMILY:NAME`: a whole method of another library, which is neither a score nor a strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..artifacts import Scores, Subset
from ..core.names import read_name, split_outside
from ..core.provenance import describe
from ..core.registry import Registry, unknown
from ..scores import AUM, DRD, DUAL, EL2N, ELBO, SCORES, TDDS, DynUnc, Forgetting, Moderate, Score, Uniform
from ..strategies import (
    D2,
    STRATEGIES,
    BestWindow,
    BetaSampling,
    ClassQuotas,
    Hardest,
    Strata,
    Strategy,
    Window,
    Workbench,
)
from ..strategies.apply import apply_strategy
from .selector import Selector

if TYPE_CHECKING:
    from ..data import Split
    from ..training.recipe import Recipe

__all__ = [
    "METHODS",
    "OWN_STRATEGIES",
    "PUBLISHED",
    "Method",
    "is_of",
    "parse",
    "parse_score",
    "parse_strategy",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Method:
    """A score and a strategy.

    Arguments:
        name: The name in tables.
        score: Orders the examples.
        strategy: Selects from the order.

    Raises:
        ValueError: If DUAL's sampling takes the mean probability over other epochs than DUAL watches.
    """

    name: str
    score: Score
    strategy: Strategy

    def __post_init__(self) -> None:
        default = isinstance(self.strategy, BetaSampling) and self.strategy.mean_score == BetaSampling.mean_score
        if default and isinstance(self.score, DUAL) and self.score != DUAL():
            raise ValueError(
                f"{self.name}: the sampling takes the label's mean probability over the epochs and proxies that DUAL "
                "watches by default; name it for these settings, as in "
                "DUAL[first_epochs=20, mean_score=Confidence[first_epochs=20]]."
            )

    @property
    def ordering(self) -> Score:
        """See `Selector`."""
        return self.score

    @property
    def scores(self) -> list[Score]:
        """The score, and those that the strategy may ask for."""
        return list(dict.fromkeys([self.score, *map(parse_score, self.strategy.needs_scores)]))

    @property
    def needs_features(self) -> bool:
        """See `Selector`."""
        return self.strategy.needs_features

    @property
    def spec(self) -> list[Any]:
        """See `Selector`."""
        return [self.score, self.strategy]

    def why_not(self, split: Split, proxy: Recipe, device: str) -> str:
        """See `Selector`: what a score cannot be had of; nothing else is known before the scores are computed."""
        return next(filter(None, (of.why_not(split) for of in self.scores)), "")

    def configured(self, name: str, settings: Mapping[str, Any]) -> Method:
        """See `Selector`; a setting goes to the side that has such a field."""
        known = [*_fields(self.score), *_fields(self.strategy)]
        for key in settings:
            if key not in known:
                raise unknown(f"setting of {self.name}", key, known)
        of_score = {key: value for key, value in settings.items() if key in _fields(self.score)}
        of_strategy = {key: value for key, value in settings.items() if key not in of_score}
        return Method(name, configure(self.score, of_score), configure(self.strategy, of_strategy))

    def select(
        self,
        scores: Scores | None,
        fraction: float,
        seed: int,
        workbench: Workbench | None = None,
        budget: int | np.ndarray | None = None,
    ) -> Subset:
        """Selects a subset.

        Arguments:
            scores: The scores of the training set.
            fraction: The share that is kept, in (0, 1].
            seed: The selection seed.
            workbench: Gives what the strategy asks for.
            budget: See `drd_plugin.strategies.apply.apply_strategy`.

        Raises:
            ValueError: If the fraction keeps nothing, or does not fit the strategy.
        """
        if scores is None:
            raise ValueError(f"{self.name} needs the {type(self.score).__name__} scores of the training set.")
        return apply_strategy(self.strategy, scores, fraction, seed, workbench, self.name, budget)


_DRD_WINDOW = BestWindow(selector="train", origin="easiest", max_start=0.5)

PUBLISHED: dict[str, Method] = {
    name: Method(name, score, strategy)
    for name, score, strategy in (
        ("Random", Uniform(), Hardest()),
        ("Forgetting", Forgetting(), Hardest()),
        ("EL2N", EL2N(), Hardest()),
        ("AUM", AUM(), Hardest()),
        ("Moderate", Moderate(), Window()),
        ("CCS", AUM(), Strata()),
        ("BWS", Forgetting(), BestWindow()),
        ("DynUnc", DynUnc(), Hardest()),
        ("TDDS", TDDS(), Hardest()),
        ("DUAL", DUAL(), BetaSampling()),
        ("D2", Forgetting(), D2()),
        ("DRoP", Uniform(), ClassQuotas()),
        ("DRD", DRD(), _DRD_WINDOW),
        ("ELBO", ELBO(), _DRD_WINDOW),
    )
}
"""The pairs of this library."""

OWN_STRATEGIES = {name: method.strategy for name, method in PUBLISHED.items() if method.strategy != Hardest()}
"""The strategies that methods stand for, by the methods' names."""

METHODS: Registry[Selector] = Registry("method", "drd_plugin.methods", PUBLISHED)


def parse(text: str, defaults: Mapping[str, Mapping[str, Any]] = {}) -> Selector:
    """A method from its name.

    Arguments:
        text: The name.
        defaults: For scores, by name, the settings of the score that orders the examples where the name says nothing
            else.

    Raises:
        UnknownName: If a part is not known; the message gives the nearest known ones.
        ValueError: If a setting is not a field of its score or strategy, or has the wrong type.
    """
    text = text.strip()
    sides = split_outside(text, "+")
    if len(sides) > 2:
        raise ValueError(f"a method is SCORE+STRATEGY, got {len(sides)} parts in {text!r}.")
    if len(sides) == 2:
        return Method(text, parse_score(sides[0], defaults), parse_strategy(sides[1]))
    name, settings = read_name(text)
    method = METHODS[name]
    if isinstance(method, Method):
        method = replace(method, score=_with_defaults(method.score, defaults))
    return method.configured(text, settings)


def parse_score(text: str, defaults: Mapping[str, Mapping[str, Any]] = {}) -> Score:
    """A score from `Name` or `Name[field=value, ...]`; a method's name stands for its score, and `defaults` for the
    settings that are not given.
    """
    name, settings = read_name(text)
    if name not in PUBLISHED and name not in SCORES:
        raise unknown("score", name, {*SCORES, *PUBLISHED})
    score = PUBLISHED[name].score if name in PUBLISHED else SCORES[name]()
    return configure(_with_defaults(score, defaults), settings)


def _with_defaults(score: Score, defaults: Mapping[str, Mapping[str, Any]]) -> Score:
    return configure(score, defaults.get(type(score).__name__, {}))


def is_of(given: Scores, wanted: Score) -> bool:
    """Whether scores are those that are asked for: made with these very settings, or imported under the name, with the
    same direction.
    """
    if "imported" in given.provenance:
        return given.name == type(wanted).__name__ and given.higher_is_harder == wanted.higher_is_harder
    return describe(wanted) == given.provenance.get("score")


def parse_strategy(text: str) -> Strategy:
    """A strategy from `Name` or `Name[field=value, ...]`; a method's name stands for its strategy, where it has one of
    its own.

    Raises:
        ValueError: For a method that is a score, from which the hardest are kept.
    """
    name, settings = read_name(text)
    if name in PUBLISHED and PUBLISHED[name].strategy == Hardest():
        kind = type(PUBLISHED[name].score).__name__
        raise ValueError(
            f"{name} is the score {kind} with the strategy Hardest, and no strategy itself: say {kind}+Hardest, or "
            "+Hardest after another score."
        )
    if name not in OWN_STRATEGIES and name not in STRATEGIES:
        raise unknown("strategy", name, {*STRATEGIES, *OWN_STRATEGIES})
    strategy = configure(OWN_STRATEGIES[name] if name in OWN_STRATEGIES else STRATEGIES[name](), settings)
    for asked in strategy.needs_scores:
        parse_score(asked)
    return strategy


def configure(thing: T, settings: Mapping[str, Any]) -> T:
    """A score or strategy with other settings; an inner strategy is given by name.

    Raises:
        UnknownName: If a setting is not one of its fields.
        ValueError: If a value has another type than the field's, or the class refuses it.
    """
    for key in settings:
        if key not in _fields(thing):
            raise unknown(f"setting of {type(thing).__name__}", key, _fields(thing))
    if "inner" in settings:
        settings = {**settings, "inner": parse_strategy(str(settings["inner"]))}
    return replace(thing, **settings) if settings else thing  # type: ignore[type-var]


def _fields(thing: Any) -> set[str]:
    return {f.name for f in fields(thing)}
