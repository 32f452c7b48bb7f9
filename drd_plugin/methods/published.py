"""The published methods: each is a pair of a score and a strategy, and any other pair can be named.

- `DRD`: a published method.
- `DRD+CCS`: DRD's score with CCS's strategy. The first part is a score, or a method that stands for its score; the
  second a strategy, or a method that stands for its strategy (not one that keeps the hardest: `DRD+Random` would not be
  random).
- `DRD[draws=16]+BWS[selector=train]`: with settings; without a plus sign, each goes to the part that has this field.
- `FAMILY:NAME`: a complete method of another library, which is neither a score nor a strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from typing_extensions import override

from ..artifacts import Scores, Subset
from ..core.names import read_name, split_outside
from ..core.provenance import describe
from ..core.registry import Registry, unknown
from ..data import Split
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
from ..training.recipe import Recipe
from .selector import Selector

__all__ = [
    "METHODS",
    "OWN_STRATEGIES",
    "PUBLISHED",
    "Method",
    "matches",
    "parse",
    "parse_score",
    "parse_strategy",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Method(Selector):
    """A score and a strategy.

    Arguments:
        name: The name in tables.
        score: The score that orders the examples.
        strategy: The strategy that selects from the order.

    Raises:
        ValueError: If the strategy cannot select by the score (see `Score.why_not_with`).
    """

    name: str
    score: Score
    strategy: Strategy

    def __post_init__(self) -> None:
        if reason := self.score.why_not_with(self.strategy):
            raise ValueError(f"{self.name}: {reason}")

    @property
    @override
    def ordering(self) -> Score:
        return self.score

    @property
    @override
    def scores(self) -> list[Score]:
        return list(dict.fromkeys([self.score, *map(parse_score, self.strategy.needs_scores)]))

    @property
    @override
    def needs_features(self) -> bool:
        return self.strategy.needs_features

    @property
    @override
    def spec(self) -> list[Any]:
        return [self.score, self.strategy]

    @override
    def why_not(self, split: Split, proxy: Recipe, device: str) -> str:
        return next(filter(None, (score.why_not(split) for score in self.scores)), "")

    @override
    def configured(self, name: str, settings: Mapping[str, Any]) -> Method:
        """Each setting goes to the score or strategy that has this field."""
        score_fields, strategy_fields = _fields(self.score), _fields(self.strategy)
        for key in settings:
            if key not in score_fields | strategy_fields:
                raise unknown(f"setting of {self.name}", key, [*score_fields, *strategy_fields])
        of_score = {key: value for key, value in settings.items() if key in score_fields}
        of_strategy = {key: value for key, value in settings.items() if key not in score_fields}
        return Method(name, configure(self.score, of_score), configure(self.strategy, of_strategy))

    @override
    def select(
        self,
        scores: Scores | None,
        fraction: float,
        seed: int,
        workbench: Workbench | None = None,
        budget: int | np.ndarray | None = None,
    ) -> Subset:
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
"""The methods of this library by name."""

OWN_STRATEGIES = {name: method.strategy for name, method in PUBLISHED.items() if method.strategy != Hardest()}
"""The strategies of the methods that do not keep the hardest, by the methods' names."""

METHODS: Registry[Selector] = Registry("method", "drd_plugin.methods", PUBLISHED)


def parse(text: str, defaults: Mapping[str, Mapping[str, Any]] = {}) -> Selector:
    """A method from its name.

    Arguments:
        text: The name.
        defaults: Default settings of the score that orders the examples, by the score's name; settings in `text`
            override them.

    Raises:
        UnknownName: If a part is unknown; the message gives the nearest names.
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
    """A score from `Name` or `Name[field=value, ...]`; a method's name stands for its score. `defaults` are default
    settings by the score's name.
    """
    name, settings = read_name(text)
    if name not in PUBLISHED and name not in SCORES:
        raise unknown("score", name, {*SCORES, *PUBLISHED})
    score = PUBLISHED[name].score if name in PUBLISHED else SCORES[name]()
    return configure(_with_defaults(score, defaults), settings)


def _with_defaults(score: Score, defaults: Mapping[str, Mapping[str, Any]]) -> Score:
    return configure(score, defaults.get(type(score).__name__, {}))


def matches(scores: Scores, score: Score) -> bool:
    """Whether scores are those of `score`: computed with the same settings, or imported under its name with the same
    direction.
    """
    if "imported" in scores.provenance:
        return scores.name == type(score).__name__ and scores.higher_is_harder == score.higher_is_harder
    return describe(score) == scores.provenance.get("score")


def parse_strategy(text: str) -> Strategy:
    """A strategy from `Name` or `Name[field=value, ...]`; a method's name stands for its strategy.

    Raises:
        ValueError: For a method that keeps the hardest by its score.
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
    for score in strategy.needs_scores:
        parse_score(score)  # raises if it is unknown
    return strategy


def configure(thing: T, settings: Mapping[str, Any]) -> T:
    """The score or strategy with these settings changed; an inner strategy is given by its name.

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
