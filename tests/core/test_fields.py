"""Settings are checked when they are made: types, and numbers that are NaN, infinite or out of range."""

from dataclasses import dataclass, fields
from types import UnionType
from typing import Literal, get_args, get_type_hints

import numpy as np
import pytest

from drd_plugin.core.registry import UnknownName, check_fields, check_fraction, check_least
from drd_plugin.diffusion import Fit, InformationBottleneck
from drd_plugin.dynamic import DYNAMIC, Plan
from drd_plugin.factors import Autoencoder
from drd_plugin.scores import AUM, SCORES
from drd_plugin.strategies import STRATEGIES
from drd_plugin.training import Recipe

SETTINGS = [
    Recipe, Fit, Autoencoder, Plan, InformationBottleneck, *SCORES.values(), *STRATEGIES.values(), *DYNAMIC.values(),
]  # fmt: skip
NEEDED = {Plan: {"fraction": 0.5}}


def numbers(kind):
    """The fields of a settings class that hold numbers, with the types that they take."""
    hints = get_type_hints(kind)
    for f in fields(kind):
        options = get_args(hints[f.name]) if isinstance(hints[f.name], UnionType) else (hints[f.name],)
        if {int, float} & {*options}:
            yield f.name, options


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)
def test_numbers_of_the_wrong_kind_are_refused_by_the_name_of_their_field(kind):
    for name, options in numbers(kind):
        wrong = [float("nan"), float("inf"), -float("inf"), "3", True, [1], 1j, b"1"]
        wrong += [1.5] if float not in options else [10**400]
        wrong += [None] if type(None) not in options else []
        for value in wrong:
            with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name}: expected"):
                kind(**{**NEEDED.get(kind, {}), name: value})


@pytest.mark.parametrize("kind", [Recipe, Fit, Autoencoder, *SCORES.values()], ids=lambda kind: kind.__name__)
def test_negative_numbers_are_refused_by_the_name_of_their_field(kind):
    for name, _ in numbers(kind):
        with pytest.raises(ValueError, match=name):
            kind(**{name: -1})


@pytest.mark.parametrize(
    ("field", "value"),
    [("momentum", 1.0), ("warmup", 1.0), ("label_smoothing", 1), ("lr", 0), ("min_lr", 0.2), ("batch_size", 0)],
)
def test_numbers_beyond_a_recipe_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        Recipe(**{field: value})


@dataclass(frozen=True)
class Inner:
    size: int = 1


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    sizes: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()
    letter: Literal["a", "b"] = "a"

    def __post_init__(self):
        check_fields(self)


@pytest.mark.parametrize("field", [{"sizes": [1, 2]}, {"sizes": (1,)}, {"shares": [1, 0.5]}, {"inner": Inner(2)}])
def test_lists_and_settings_within_settings_are_taken(field):
    assert Outer(**field)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"sizes": "12"}, r"Outer\.sizes: expected a list of int, got '12'"),
        ({"sizes": 12}, r"Outer\.sizes: expected a list"),
        ({"sizes": [1, 2.5]}, r"Outer\.sizes: in a list: expected int, got 2\.5"),
        ({"sizes": [True]}, r"Outer\.sizes: in a list: expected int, got True"),
        ({"shares": [0.5, float("nan")]}, r"Outer\.shares: in a list: expected a finite number, got nan"),
        ({"inner": "Inner"}, r"Outer\.inner: expected Inner, got 'Inner'"),
        ({"inner": None}, r"Outer\.inner: expected Inner, got None"),
        ({"letter": "c"}, r"unknown Outer\.letter 'c'"),
        ({"letter": 3}, r"unknown Outer\.letter '3'"),
    ],
)
def test_values_within_lists_are_checked_too(field, message):
    with pytest.raises((ValueError, UnknownName), match=message):
        Outer(**field)


@pytest.mark.parametrize("fraction", ["0.5", None, True, [0.5], 1j, float("nan"), 0, -0.5, 1.5, float("inf")])
def test_a_fraction_is_a_number_up_to_1(fraction):
    with pytest.raises(ValueError, match="a fraction is"):
        check_fraction(fraction)


@pytest.mark.parametrize("fraction", [1, 0.5, np.float32(0.5), np.int64(1)])
def test_a_fraction_may_be_a_number_of_numpy(fraction):
    check_fraction(fraction)


def test_the_least_of_a_number_that_is_none_is_not_checked():
    check_least(Recipe(), 1, "epochs")


def test_a_field_that_hides_a_method_is_refused():
    @dataclass(frozen=True)
    class Late(AUM):
        last: int = 3

    with pytest.raises(ValueError, match=r"Late\.last is a method of AUM: rename the field"):
        Late()
