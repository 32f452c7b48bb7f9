"""A `Grid`: methods x fractions x seeds x nets on one data set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from ..core.provenance import describe
from ..core.registry import UnknownName, check_fraction, unknown
from ..core.seeds import Seeds, check_seed
from ..data import Dataset, load, plant, take
from ..dynamic.base import Dynamic
from ..dynamic.names import DYNAMIC, is_dynamic, parse_dynamic
from ..methods import METHODS, Selector, parse, parse_score
from ..scores import SCORES, FoldScore
from ..training.names import NETS
from ..training.recipe import PROXY, Recipe
from .kinds import DATASET, FILE, GRID, GridError, plain

__all__ = ["Grid", "GridError", "dataset_of", "grid_from"]

PLANTED = ("wrong_labels", "corrupted")
"""The keys of the data set that say what is planted in it."""


@dataclass(frozen=True)
class Grid:
    """The methods, fractions, seeds, networks, data set and recipes of a benchmark.

    Arguments:
        name: Its name; the results' folder is called so.
        methods: Names as `drd_plugin.methods.parse` or `drd_plugin.dynamic.parse_dynamic` reads them; the full training
            set is always run beside them.
        fractions: The shares that are kept, each in (0, 1].
        seeds: One run for each; a run's seeds for proxy, selection, initialisation, order and noise are this number,
            but for those in `pin`.
        dataset: `name`, and where needed `root`, `size` and the other settings of `drd_plugin.data.load`; `examples`
            for that many of the training set, and `wrong_labels` and `corrupted`, the shares of it that are planted
            (see `drd_plugin.data.planted`).
        recipe: How networks are trained on the subsets, and on the candidates that some strategies try out.
        proxy: How the proxy is trained, whose training the fold scores watch; in epochs.
        nets: The networks to train on each subset; the recipe's by default.
        pin: Seeds that stay the same in all runs.
        scores: Default settings of the scores that use a diffusion model, by name, for example `draws`. A
            method's own settings take precedence.

    Raises:
        GridError: If a value is of the wrong kind, a list is empty or names something twice, the proxy's recipe is not
            in epochs, or the data set has no name.
        UnknownName: If a key, or a name of a method, score or network, is not known.
        ValueError: If a fraction is not in (0, 1], a seed is wrong, or a score watches longer than the proxy trains.
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
        for key, kind in GRID.items():
            object.__setattr__(self, key, plain(getattr(self, key)))
            kind.check(getattr(self, key), f"{self.name}: {key}")
        for key in ("methods", "fractions", "seeds", "nets"):
            values = getattr(self, key)
            if not values and key != "nets":
                raise GridError(f"{self.name}: {key} is {values!r}: expected a list of at least one.")
            if len(set(values)) < len(values):
                raise GridError(f"{self.name}: {key} names something twice: {list(values)}.")
        for fraction in self.fractions:
            check_fraction(fraction, f"{self.name}: fractions: ")
        _check_keys("seed to pin", self.pin, [f.name for f in fields(Seeds)])
        for seed in self.seeds:
            check_seed(seed, f"{self.name}: seeds")
            self.seeds_of(seed)  # raises for a wrong one among those to pin
        if self.proxy.epochs is None:
            raise GridError(
                f"{self.name}: the proxy is trained in epochs, since fold scores count epochs: give proxy.epochs."
            )
        self._check_dataset()
        self._check_names()

    def _check_dataset(self) -> None:
        """Raises for keys and values that the data set's settings cannot have."""
        _check_keys("key of a grid's dataset", self.dataset, DATASET)
        if "name" not in self.dataset:
            raise GridError(f"{self.name}: dataset.name is missing.")
        for key, value in self.dataset.items():
            DATASET[key].check(value, f"{self.name}: dataset.{key}")

    def _check_names(self) -> None:
        """Raises for names and settings that are not known, and for scores that watch longer than the proxy trains."""
        maps = [name for name, kind in SCORES.items() if not issubclass(kind, FoldScore)]
        _check_keys("score with settings for a whole grid", self.scores, maps)
        used = [score for method in self.static for score in method.scores]
        for score in used:
            if isinstance(score, FoldScore):
                score.last(self.proxy.epochs or 0)
        for name in {*self.scores} - {type(score).__name__ for score in used}:
            parse_score(name, self.scores)  # raises for a wrong setting, which no method has met
        for net in (*self.trained_nets, self.proxy.net):
            NETS.check(net)

    @cached_property
    def parsed(self) -> dict[str, Selector | Dynamic]:
        """The methods by name."""
        return {name: self.parse(name) for name in self.methods}

    def parse(self, text: str) -> Selector | Dynamic:
        """A method by name, static or dynamic; raises UnknownName for a name that is not known."""
        if is_dynamic(text):
            return parse_dynamic(text)
        name = text.partition("[")[0].strip()
        if not {"+", ":"} & {*name} and name not in METHODS:
            raise unknown("method", name, {*METHODS, *DYNAMIC})
        return self.method(text)

    @property
    def static(self) -> list[Selector]:
        """The static methods."""
        return [method for method in self.parsed.values() if not isinstance(method, Dynamic)]

    @property
    def dynamic(self) -> dict[str, Dynamic]:
        """The dynamic methods by name."""
        return {name: method for name, method in self.parsed.items() if isinstance(method, Dynamic)}

    def method(self, name: str) -> Selector:
        """A static method by name, with the grid's settings of scores."""
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
        """The seed of each source of chance in the run with this number."""
        return Seeds.all(seed, **self.pin)

    @property
    def identity(self) -> dict[str, Any]:
        """The facts that all runs in one folder share; methods, fractions, seeds and nets may be added later."""
        identity = describe({key: getattr(self, key) for key in ("dataset", "recipe", "proxy", "pin")})
        identity["dataset"].pop("root", None)
        return identity


def grid_from(name: str, content: Mapping[str, Any], file: str) -> Grid:
    """A grid from the keys of a TOML file.

    Arguments:
        name: The grid's name.
        content: Its keys.
        file: The file, for messages.

    Raises:
        GridError: If a key is missing, or a value wrong.
        UnknownName: If a key or a name is not known.
    """
    _check_keys(f"key in {file}", content, [f.name for f in fields(Grid) if f.name != "name"])
    for key in ("methods", "fractions", "seeds", "dataset"):
        if key not in content:
            raise GridError(f"{file}: the key {key} is missing.")
    for key, value in content.items():
        FILE[key].check(value, f"{file}: {key}")
    recipe = _recipe(Recipe(), content.get("recipe", {}), f"{file}: [recipe]")
    proxy = _recipe(recipe.for_epochs(recipe.epochs or 30), content.get("proxy", {}), f"{file}: [proxy]")
    rest = {key: value for key, value in content.items() if key not in ("recipe", "proxy")}
    return Grid(name=name, recipe=recipe, proxy=proxy, **rest)


def dataset_of(settings: Mapping[str, Any]) -> Dataset:
    """The data set of a grid, from its settings (see `Grid`), with what is planted in it.

    Raises:
        DataError: If the data are missing, damaged or cannot be used.
    """
    planted = {key: settings[key] for key in PLANTED if key in settings}
    source = {key: value for key, value in settings.items() if key not in (*PLANTED, "examples")}
    dataset = load(**source)
    train = take(dataset.train, settings.get("examples", len(dataset.train)))
    return Dataset(plant(train, **planted).split if planted else train, dataset.test)


def _check_keys(kind: str, content: Iterable[str], allowed: Collection[str]) -> None:
    for key in content:
        if key not in allowed:
            raise unknown(kind, key, allowed)


def _recipe(base: Recipe, changes: Mapping[str, Any], where: str) -> Recipe:
    _check_keys("key of a recipe", changes, [f.name for f in fields(Recipe)])
    other = {"steps": "epochs", "epochs": "steps"}
    cleared = {other[key]: None for key in changes if key in other and other[key] not in changes}
    try:
        return replace(base, **{**cleared, **changes})
    except UnknownName:
        raise
    except ValueError as error:
        raise GridError(f"{where}: {error}") from error
