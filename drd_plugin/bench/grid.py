"""A `Grid`: methods x fractions x seeds x nets on one data set, read from TOML."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..methods import Selector, parse
from ..provenance import describe
from ..registry import unknown
from ..rng import Seeds
from ..scores import FoldScore
from ..training.recipe import PROXY, Recipe

__all__ = ["Grid", "GridError", "find_grid", "grid_names", "read_grid"]

PLACES = (
    Path("benchmarks"),
    Path(__file__).parents[2] / "benchmarks",
    Path(sys.prefix) / "share" / "drd_plugin" / "benchmarks",
)


class GridError(ValueError):
    """A grid that cannot be read or run."""


@dataclass(frozen=True)
class Grid:
    """What a benchmark runs.

    Arguments:
        name: Its name; the results' folder is called so.
        methods: Names as `drd_plugin.methods.parse` reads them; the full training set is always run beside them.
        fractions: The shares that are kept, each in (0, 1].
        seeds: One run for each; a run's seeds for proxy, selection, initialisation, order and noise are this number,
            but for those in `pin`.
        dataset: `name`, and where needed `root` and `size`.
        recipe: How the networks on the subsets, and the candidates of strategies that train, are trained.
        proxy: How the proxy is trained whose run the fold scores watch; in epochs.
        nets: The networks to train on each subset; the recipe's by default.
        pin: Seeds that stay the same in all runs.
    """

    name: str
    methods: tuple[str, ...]
    fractions: tuple[float, ...]
    seeds: tuple[int, ...]
    dataset: Mapping[str, Any]
    recipe: Recipe = field(default_factory=Recipe)
    proxy: Recipe = PROXY
    nets: tuple[str, ...] = ()
    pin: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise GridError(
                    f"{self.name}: a fraction is the share of examples that is kept, in (0, 1]; got {fraction}."
                )
        for what in ("methods", "fractions", "seeds", "nets"):
            values = getattr(self, what)
            if isinstance(values, str) or (not values and what != "nets"):
                raise GridError(f"{self.name}: {what} is {values!r}: expected a list of at least one.")
            if len(set(values)) < len(values):
                raise GridError(f"{self.name}: {what} names something twice: {list(values)}.")
        if self.proxy.epochs is None:
            raise GridError(f"{self.name}: the proxy is trained in epochs, since folds count them; give proxy.epochs.")
        if "name" not in self.dataset:
            raise GridError(f"{self.name}: dataset.name is missing.")
        for key in self.dataset:
            if key not in ("name", "root", "size"):
                raise unknown("key of a grid's dataset", key, ("name", "root", "size"))
        for key in self.pin:
            if key not in {f.name for f in fields(Seeds)}:
                raise unknown("seed to pin", key, {f.name for f in fields(Seeds)})
        for seed in self.seeds:
            self.seeds_of(seed)
        _check_names(self)

    @property
    def parsed(self) -> list[Selector]:
        """The methods."""
        return [parse(name) for name in self.methods]

    @property
    def trained_nets(self) -> tuple[str, ...]:
        """The networks that are trained on each subset."""
        return self.nets or (self.recipe.net,)

    def seeds_of(self, seed: int) -> Seeds:
        """The single seeds of the run with this number."""
        return Seeds.all(seed, **self.pin)

    @property
    def identity(self) -> dict[str, Any]:
        """What all runs in one folder have in common; methods, fractions, seeds and nets may be added later."""
        keep = ("dataset", "recipe", "proxy", "pin")
        described = describe({key: getattr(self, key) for key in keep})
        described["dataset"].pop("root", None)
        return described


def read_grid(path: Path) -> Grid:
    """A grid from a TOML file.

    Raises:
        GridError: If the file cannot be read, or a key, a value or a name is wrong.
    """
    try:
        content = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GridError(f"{path} cannot be read as a grid: {error}.") from error
    known = {f.name for f in fields(Grid)} - {"name"}
    for key in content:
        if key not in known:
            raise unknown(f"key in {path}", key, known)
    for key in ("methods", "fractions", "seeds", "dataset"):
        if key not in content:
            raise GridError(f"{path}: the key {key} is missing.")
    try:
        recipe = _recipe(Recipe(), content.pop("recipe", {}))
        proxy = _recipe(recipe.for_epochs(recipe.epochs or 30), content.pop("proxy", {}))
        lists: dict[str, Any] = {
            key: tuple(value) if isinstance(value := content.pop(key), list) else value
            for key in ("methods", "fractions", "seeds", "nets")
            if key in content
        }
        return Grid(name=Path(path).stem, recipe=recipe, proxy=proxy, **lists, **content)
    except TypeError as error:
        raise GridError(f"{path}: {error}.") from error


def _check_names(grid: Grid) -> None:
    from ..training.nets import NETS

    for method in grid.parsed:
        for score in method.scores:
            if isinstance(score, FoldScore):
                score.last(grid.proxy.epochs or 0)
    for net in (*grid.trained_nets, grid.proxy.net):
        _ = NETS[net]


def _recipe(base: Recipe, changes: Mapping[str, Any]) -> Recipe:
    known = {f.name for f in fields(Recipe)}
    for key in changes:
        if key not in known:
            raise unknown("key of a recipe", key, known)
    other = {"steps": "epochs", "epochs": "steps"}
    cleared = {other[key]: None for key in changes if key in other and other[key] not in changes}
    return replace(base, **{**cleared, **changes})


def grid_names() -> dict[str, Path]:
    """The grids that can be named: those in ./benchmarks, in this checkout, and those installed with the package."""
    found: dict[str, Path] = {}
    for place in PLACES:
        for path in sorted(place.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find_grid(name: str | Path) -> Grid:
    """A grid by name or by path.

    Raises:
        UnknownName: If there is no such grid.
    """
    if Path(name).suffix == ".toml":
        return read_grid(Path(name))
    if name not in grid_names():
        raise unknown("grid", str(name), grid_names())
    return read_grid(grid_names()[str(name)])
