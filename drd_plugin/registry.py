"""Names to things: what this library and its extensions offer, and helpful answers to names that nobody knows.

Other packages add their own through the entry-point groups `drd_plugin.scores`, `drd_plugin.strategies` and
`drd_plugin.datasets`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

__all__ = ["Registry", "UnknownName", "check_choices", "unknown"]

T = TypeVar("T")


class UnknownName(ValueError):
    """A name that is not known; the message gives the nearest known ones."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """The error for a `kind` of thing that is called `name` while only `known` exist."""
    known = sorted(known)
    by_case = {k.lower(): k for k in known}
    near = [by_case[k] for k in difflib.get_close_matches(name.lower(), by_case, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "none is near."
    return UnknownName(f"unknown {kind} {name!r}: {hint} Known: {', '.join(known)}.")


def check_choices(thing: Any) -> None:
    """Raises UnknownName if a dataclass's field of a Literal type holds none of its values."""
    hints = get_type_hints(type(thing))
    for f in fields(thing):
        choices = get_args(hints[f.name]) if get_origin(hints[f.name]) is Literal else None
        if choices and getattr(thing, f.name) not in choices:
            raise unknown(f"{type(thing).__name__}.{f.name}", getattr(thing, f.name), choices)


class Registry(Mapping[str, T], Generic[T]):
    """The built-in things of one kind, and those that installed packages add.

    Arguments:
        kind: What an entry is, for messages ("score").
        group: The entry-point group in which other packages announce theirs.
        builtin: The entries of this library.

    Raises:
        UnknownName: On look-up of a name that is neither built in nor announced.
    """

    def __init__(self, kind: str, group: str, builtin: Mapping[str, T]) -> None:
        self.kind, self.group = kind, group
        self._entries: dict[str, T] = dict(builtin)

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            for point in entry_points(group=self.group, name=name):
                self._entries[name] = point.load()
        if name not in self._entries:
            raise unknown(self.kind, name, self)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in set(self)

    def __iter__(self) -> Iterator[str]:
        announced = (point.name for point in entry_points(group=self.group))
        return iter(dict.fromkeys([*self._entries, *announced]))

    def __len__(self) -> int:
        return len(list(iter(self)))
