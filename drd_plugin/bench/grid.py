"""A `Grid`: methods x fractions x seeds x nets on one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..data import Dataset, load, plant, take
from ..dynamic import Dynamic
from ..dynamic.names import is_dynamic, parse_dynamic
from ..methods import Selector, parse
from ..provenance import describe
from ..registry import check_fraction, unknown
from ..rng import Seeds
from ..scores import SCORES, FoldScore
from ..training.recipe import PROXY, Recipe

__all__ = ["Grid", "GridError", "dataset_of", "grid_from"]


DATASET_KEYS = ("name", "root", "size", "examples", "wrong_labels", "corrupted")


class GridError(ValueError):
    """A grid that cannot be read or run."""


@dataclass(frozen=True)
class Grid:
    """What a benchmark runs.

    Arguments:
        name: Its name; the results' folder is called so.
        methods: Names as `drd_plugin.methods.parse` reads them, and for a study of dynamic selection also names as
            `drd_plugin.dynamic.parse_dynamic` does; the full training set is always run beside them.
        fractions: The shares that are kept, each in (0, 1].
        seeds: One run for each; a run's seeds for proxy, selection, initialisation, order and noise are this number,
            but for those in `pin`.
        dataset: `name`, and where needed `root` and `size`; `examples` for that many of the training set, and
            `wrong_labels` and `corrupted`, the shares of it that are planted (see `drd_plugin.data.planted`).
        recipe: How the networks on the subsets, and the candidates of strategies that train, are trained.
        proxy: How the proxy is trained whose run the fold scores watch; in epochs.
        nets: The networks to train on each subset; the recipe's by default.
        pin: Seeds that stay the same in all runs.
        scores: For scores that ask a diffusion model, by name, the settings that methods have where they say nothing
            else: how many draws this data set is worth, say.
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
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fraction in self.fractions:
            check_fraction(fraction, f"{self.name}: ")
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
            if key not in DATASET_KEYS:
                raise unknown("key of a grid's dataset", key, DATASET_KEYS)
        for key in self.pin:
            if key not in {f.name for f in fields(Seeds)}:
                raise unknown("seed to pin", key, {f.name for f in fields(Seeds)})
        for seed in self.seeds:
            self.seeds_of(seed)
        for name in self.scores:
            if name not in SCORES or issubclass(SCORES[name], FoldScore):
                folds = {known for known, kind in SCORES.items() if issubclass(kind, FoldScore)}
                raise unknown("score with settings for a whole grid", name, {*SCORES} - folds)
        _check_names(self)

    @property
    def parsed(self) -> list[Selector]:
        """The static methods."""
        return [self.method(name) for name in self.methods if not is_dynamic(name)]

    @property
    def dynamic(self) -> dict[str, Dynamic]:
        """The dynamic methods by name."""
        return {name: parse_dynamic(name) for name in self.methods if is_dynamic(name)}

    def method(self, name: str) -> Selector:
        """One of the methods."""
        return parse(name, self.scores)

    @property
    def trained_nets(self) -> tuple[str, ...]:
        """The networks that are trained on each subset."""
        return self.nets or (self.recipe.net,)

    def load(self) -> Dataset:
        """The data set, with what is planted in it.

        Raises:
            DataError: If the data are missing, damaged or cannot be used.
        """
        return dataset_of(self.dataset)

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


def grid_from(name: str, content: Mapping[str, Any], where: str) -> Grid:
    """A grid from the keys of a TOML file.

    Arguments:
        name: The grid's name.
        content: Its keys.
        where: The file, for messages.

    Raises:
        GridError: If a key is missing, or a value wrong.
        UnknownName: If a key or a name is not known.
    """
    known = {f.name for f in fields(Grid)} - {"name"}
    for key in content:
        if key not in known:
            raise unknown(f"key in {where}", key, known)
    for key in ("methods", "fractions", "seeds", "dataset"):
        if key not in content:
            raise GridError(f"{where}: the key {key} is missing.")
    try:
        recipe = _recipe(Recipe(), content.get("recipe", {}))
        proxy = _recipe(recipe.for_epochs(recipe.epochs or 30), content.get("proxy", {}))
        rest: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in content.items()
            if key not in ("recipe", "proxy")
        }
        return Grid(name=name, recipe=recipe, proxy=proxy, **rest)
    except TypeError as error:
        raise GridError(f"{where}: {error}.") from error


def dataset_of(wanted: Mapping[str, Any]) -> Dataset:
    """The data set that a grid names; see `Grid`.

    Raises:
        DataError: If the data are missing, damaged or cannot be used.
    """
    named = {key: wanted[key] for key in ("name", "root", "size") if key in wanted}
    planted = {key: wanted[key] for key in ("wrong_labels", "corrupted") if key in wanted}
    whole = load(**named)
    train = take(whole.train, wanted.get("examples", len(whole.train)))
    return Dataset(plant(train, **planted).split if planted else train, whole.test)


def _check_names(grid: Grid) -> None:
    from ..training.nets import NETS

    _ = grid.dynamic
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
