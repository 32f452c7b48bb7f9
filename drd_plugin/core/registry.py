"""Names to things: what this library and its extensions offer, and helpful answers to names that nobody knows.

Other packages add their own through the entry-point groups `drd_plugin.scores`, `drd_plugin.strategies`,
`drd_plugin.datasets`, `drd_plugin.nets`, `drd_plugin.methods`, `drd_plugin.features`, `drd_plugin.dynamic` and
`drd_plugin.studies`. A name `FAMILY:NAME` belongs
to an open family: a function from NAME to the thing, announced in the group `drd_plugin.nets.families`, and so for
methods, data sets and features.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from inspect import getdoc
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
    """A name that is not known; the message gives the nearest known ones."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a `kind` of thing that is called `name` while only `known` exist."""
    known = sorted(known)
    by_case = {k.lower(): k for k in known}
    near = [by_case[k] for k in difflib.get_close_matches(name.lower(), by_case, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "none is near."
    return UnknownName(f"unknown {kind} {name!r}: {hint} Known: {', '.join(known)}.")


def check_fields(thing: Any) -> None:
    """Checks a dataclass's fields whose types are plain: int, float, str, bool, one of them or None, or a Literal.

    Raises:
        UnknownName: If a field of a Literal type holds none of its values.
        ValueError: If a field holds a value of another type.
    """
    hints = get_type_hints(type(thing))
    for f in fields(thing):
        name, value, hint = f"{type(thing).__name__}.{f.name}", getattr(thing, f.name), hints[f.name]
        options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise unknown(name, str(value), get_args(hint))
        elif all(option in PLAIN for option in options) and not any(_is(value, option) for option in options):
            wanted = " or ".join("None" if option is NoneType else option.__name__ for option in options)
            raise ValueError(f"{name}: expected {wanted}, got {value!r}.")


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def check_fraction(fraction: float, whose: str = "") -> None:
    """Raises ValueError unless a fraction is in (0, 1]."""
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
    """An entry that is imported when it is asked for, since it needs something heavy.

    Arguments:
        target: Where it lies, `module:name`.
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
    """The entry points of a group in all installed packages; read once, since it means looking at every package."""
    return entry_points(group=group)


class Registry(Mapping[str, T], Generic[T]):
    """The built-in things of one kind, and those that installed packages add.

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
        """Raises UnknownName unless the name is known; nothing is imported to find out. The members of families are
        looked up when they are asked for.
        """
        family, colon, _ = name.partition(":")
        known = family in self._families or announced(f"{self.group}.families").select(name=family)
        if not (known if colon else name in self):
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
