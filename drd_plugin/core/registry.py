"""Registries: the scores, strategies, ... of this library and its extensions by name, and helpful errors for unknown
names.

Other packages add their own through the entry-point groups `drd_plugin.scores`, `drd_plugin.strategies`,
`drd_plugin.datasets`, `drd_plugin.nets`, `drd_plugin.methods`, `drd_plugin.features`, `drd_plugin.dynamic` and
`drd_plugin.studies`. A name `FAMILY:NAME` belongs to an open family, a function from NAME to the entry. Families of
networks are announced in the group `drd_plugin.nets.families`; those of methods, data sets and features likewise.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from inspect import getdoc, isfunction
from numbers import Real
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

__all__ = [
    "Deferred",
    "Registry",
    "UnknownName",
    "check_fields",
    "check_fraction",
    "check_least",
    "first_sentence",
    "unknown",
]

T = TypeVar("T")

PLAIN = (int, float, str, bool, NoneType)


class UnknownName(ValueError):
    """A name is not in a registry; the message gives the nearest names that are."""


def unknown(kind: str, name: str, names: Iterable[str]) -> UnknownName:
    """The error for a name that is not among the `names` of this kind of thing."""
    names = sorted(names)
    by_case = {n.lower(): n for n in names}
    near = [by_case[k] for k in difflib.get_close_matches(name.lower(), by_case, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "none is near."
    return UnknownName(f"unknown {kind} {name!r}: {hint} Known: {', '.join(names)}.")


def check_fields(thing: Any) -> None:
    """Checks the dataclass fields with plain types (int, float, str, bool, one of these or None), with tuples of one of
    them, with a Literal, or with another class.

    Raises:
        UnknownName: If the value of a Literal field is none of its options.
        ValueError: If a value has another type than its field, or is NaN or infinite; or a field hides a method.
    """
    hints = get_type_hints(type(thing))
    for f in fields(thing):
        owner = next((base for base in type(thing).__mro__[1:] if isfunction(vars(base).get(f.name))), None)
        if owner:
            raise ValueError(f"{type(thing).__name__}.{f.name} is a method of {owner.__name__}: rename the field.")
        name, value, hint = f"{type(thing).__name__}.{f.name}", getattr(thing, f.name), hints[f.name]
        options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise unknown(name, str(value), get_args(hint))
        elif get_origin(hint) is tuple and get_args(hint)[0] in PLAIN:
            if not isinstance(value, tuple | list):
                raise ValueError(f"{name}: expected a list of {get_args(hint)[0].__name__}, got {value!r}.")
            for item in value:
                _check_value(f"{name}: in a list", item, get_args(hint)[:1])
        elif all(isinstance(option, type) and option is not Any for option in options):
            _check_value(name, value, options)


def _check_value(name: str, value: Any, options: Sequence[type]) -> None:
    """Raises ValueError unless a value fits one of the types, and is finite where it is to be a float."""
    if not any(_fits(value, option) for option in options):
        expected = " or ".join("None" if option is NoneType else option.__name__ for option in options)
        raise ValueError(f"{name}: expected {expected}, got {value!r}.")
    if float in options and value is not None and not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name}: expected a finite number, got {value}.")


def _fits(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def check_fraction(fraction: float, whose: str = "") -> None:
    """Raises ValueError unless a fraction is a number in (0, 1]."""
    if isinstance(fraction, bool) or not isinstance(fraction, Real):
        raise ValueError(f"{whose}a fraction is a number in (0, 1], got {fraction!r}.")
    if not 0 < fraction <= 1:
        meant = f" (for {fraction:g} %, {fraction / 100:g})" if 1 < fraction <= 100 else ""
        raise ValueError(f"{whose}a fraction is the share of examples that is kept, in (0, 1]; got {fraction}{meant}.")


def check_least(thing: Any, least: int, *names: str) -> None:
    """Raises ValueError unless each of the named fields is at least `least`, or None."""
    for name in names:
        value = getattr(thing, name)
        if value is not None and not value >= least:
            raise ValueError(f"{type(thing).__name__}.{name} must be at least {least}, got {value}.")


@dataclass(frozen=True)
class Deferred:
    """An entry that is imported on its first use, since its module imports heavy packages.

    Arguments:
        target: Its place, `module:name`.
        about: The first sentence of its docstring, for lists.
    """

    target: str
    about: str

    def load(self) -> Any:
        """The entry itself."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


@cache
def announced(group: str) -> EntryPoints:
    """The entry points of a group in all installed packages; cached, since every package must be searched."""
    return entry_points(group=group)


class Registry(Mapping[str, T], Generic[T]):
    """The entries of one kind by name: the built-in ones, and those that installed packages announce.

    Arguments:
        kind: What an entry is, for messages ("score").
        group: The entry-point group in which other packages announce theirs.
        builtin: The entries of this library.
        families: The open families of this library.

    Raises:
        UnknownName: On look-up of a name that is neither built in nor announced.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        builtin: Mapping[str, T | Deferred],
        families: Mapping[str, Callable[[str], T]] | None = None,
    ) -> None:
        self.kind, self.group = kind, group
        self._entries: dict[str, T | Deferred] = dict(builtin)
        self._families: dict[str, Callable[[str], T]] = dict(families or {})

    def __getitem__(self, name: str) -> T:
        self.check(name)
        family, colon, rest = name.partition(":")
        if colon:
            return self._family(family)(rest)
        entry = self._entries.get(name)
        if entry is None:
            [point, *_] = announced(self.group).select(name=name)
            entry = point.load()
        elif isinstance(entry, Deferred):
            entry = entry.load()
        self._entries[name] = entry
        return entry

    def check(self, name: str) -> None:
        """Raises UnknownName unless the name, or the family of `FAMILY:NAME`, is listed; the entry is not imported."""
        if not isinstance(name, str):
            raise UnknownName(f"a {self.kind} is named by a text, got {name!r:.80}.")
        family, colon, _ = name.partition(":")
        in_family = family in self._families or announced(f"{self.group}.families").select(name=family)
        if not (in_family if colon else name in self):
            raise unknown(self.kind, name, self)

    def about(self, name: str) -> str:
        """The first sentence of an entry's docstring."""
        entry = self._entries.get(name)
        return entry.about if isinstance(entry, Deferred) else first_sentence(self[name])

    def __contains__(self, name: object) -> bool:
        """Whether the name is listed; the members of families are not."""
        return name in set(self)

    def _family(self, family: str) -> Callable[[str], T]:
        if family not in self._families:
            [point, *_] = announced(f"{self.group}.families").select(name=family)
            self._families[family] = point.load()
        return self._families[family]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._entries, *(point.name for point in announced(self.group))]))

    def __len__(self) -> int:
        return len(list(iter(self)))


def first_sentence(thing: Any) -> str:
    """The first sentence of a docstring."""
    paragraph = " ".join((getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.]) ", paragraph)[0]
