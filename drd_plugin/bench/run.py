"""`run_grid()`: scores, subsets and trainings of a grid, each done once, each kept as it finishes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..artifacts import ArtifactError, Run, Scores, Subset
from ..data import Dataset, load
from ..engine import proxy_seeds, record, score
from ..methods import Method, parse_score
from ..provenance import describe, digest, environment
from ..rng import Seeds
from ..scores import FoldScore, Score
from ..selection import TrainingWorkbench
from ..training.loader import resolve_device
from ..training.loop import train
from ..training.recipe import Recipe
from .grid import Grid
from .store import RunStore

__all__ = ["run_grid"]


def run_grid(grid: Grid, out: Path, device: str = "auto", progress: bool = True) -> RunStore:
    """Runs what is missing of a grid.

    Arguments:
        grid: What to run.
        out: The folder for `runs/`, `scores/` and `subsets/`; a killed grid goes on where it stopped.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If the folder holds another grid's runs.
        ValueError: If the device is unknown.
    """
    resolve_device(device)
    place = {key: grid.dataset[key] for key in ("root", "size") if key in grid.dataset}
    dataset = load(grid.dataset["name"], **place)
    store = RunStore(out, grid.identity | {"fingerprint": dataset.train.fingerprint})
    bench = _Bench(grid, dataset, Path(out), device, progress)
    done = set(store.frame()["key"])
    cells = [cell for cell in bench.cells() if cell.key not in done]
    if done and cells and progress:
        tqdm.write(f"adding {len(cells)} runs to the {len(done)} in {out}")
    with tqdm(cells, "runs", len(done) + len(cells), disable=not progress, unit="run", initial=len(done)) as bar:
        for cell in cells:
            bar.set_postfix_str(f"{cell.method_name} {100 * cell.fraction:g} % seed {cell.seed}")
            store.append(bench.run(cell))
            bar.update()
    store.compact()
    return store


def _seconds(known: Mapping[Score, Scores]) -> float:
    """The seconds that scores took; those that watched the same proxy took them once."""
    folds = [float(of.provenance["seconds"]) for what, of in known.items() if isinstance(what, FoldScore)]
    maps = [float(of.provenance["seconds"]) for what, of in known.items() if not isinstance(what, FoldScore)]
    return sum(maps) + max(folds, default=0.0)


@dataclass(frozen=True)
class _Cell:
    """One run to do; `method` is None for the full training set."""

    method: Method | None
    fraction: float
    seed: int
    seeds: Seeds
    recipe: Recipe
    key: str

    @property
    def method_name(self) -> str:
        return "Full" if self.method is None else self.method.name


@dataclass(frozen=True, eq=False)
class _Bench:
    grid: Grid
    dataset: Dataset
    out: Path
    device: str
    progress: bool
    loaded: dict[Path, Scores] = field(default_factory=dict)
    known: dict[Score, Mapping[str, Any]] = field(default_factory=dict)

    def cells(self) -> Iterator[_Cell]:
        """All runs, seed by seed, so that a stopped grid has whole seeds."""
        for seed in self.grid.seeds:
            for net in self.grid.trained_nets:
                yield self._cell(None, 1.0, seed, net)
            for method in self.grid.parsed:
                for fraction in self.grid.fractions:
                    for net in self.grid.trained_nets:
                        yield self._cell(method, fraction, seed, net)

    def _cell(self, method: Method | None, fraction: float, seed: int, net: str) -> _Cell:
        seeds, recipe = self.grid.seeds_of(seed), replace(self.grid.recipe, net=net)
        identity = [
            self.grid.identity,
            self.dataset.train.fingerprint,
            self.dataset.test.fingerprint,
            method,
            [] if method is None else [self.inputs(of) for of in method.scores],
            fraction,
            seeds,
            recipe,
        ]
        return _Cell(method, fraction, seed, seeds, recipe, digest(identity))

    def inputs(self, what: Score) -> Mapping[str, Any]:
        """The score's inputs on the training split, computed once."""
        if what not in self.known:
            self.known[what] = what.inputs(self.dataset.train)
        return self.known[what]

    def run(self, cell: _Cell) -> Run:
        """Selects, trains and tests."""
        on = str(resolve_device(self.device))
        made = environment(on)
        subset, seconds_score, seconds_select = None, 0.0, 0.0
        if cell.method is not None:
            subset, seconds_score, seconds_select = self.subset(cell.method, cell.fraction, cell.seeds)
        trained = train(
            self.dataset.train,
            cell.recipe,
            seed_init=cell.seeds.init,
            seed_order=cell.seeds.order,
            subset=subset,
            test=self.dataset.test,
            device=self.device,
        )
        provenance = {
            "recipe": describe(cell.recipe),
            "proxy": describe(self.grid.proxy),
            "seeds": describe(cell.seeds),
            "test": self.dataset.test.fingerprint,
            "score": None if cell.method is None else describe(cell.method.score),
            "strategy": None if cell.method is None else describe(cell.method.strategy),
            "environment": made,
        }
        return Run(
            key=cell.key,
            method=cell.method_name,
            fraction=cell.fraction,
            k=len(self.dataset.train) if subset is None else len(subset),
            dataset=self.dataset.train.name,
            fingerprint=self.dataset.train.fingerprint,
            net=cell.recipe.net,
            seed=cell.seed,
            acc_last=trained.acc_last,
            acc_best=trained.acc_best,
            step_best=trained.step_best,
            steps=trained.steps,
            examples_seen=trained.examples_seen,
            seconds_score=seconds_score,
            seconds_select=seconds_select,
            seconds_train=trained.seconds,
            device=on,
            chosen=json.dumps({} if subset is None else dict(subset.chosen)),
            provenance=json.dumps(provenance),
        )

    def subset(self, method: Method, fraction: float, seeds: Seeds) -> tuple[Subset, float, float]:
        """The method's subset, and the seconds of its scores and of its selection; kept, and found again."""
        made = [self.inputs(of) for of in method.scores]
        name = digest([method.score, method.strategy, made, fraction, seeds, self.grid.identity])
        path = self.out / "subsets" / f"{name}.json"
        known = {of: self.scores(of, seeds) for of in method.scores}
        spent = _seconds(known)
        if path.exists():
            subset = Subset.load(path)
            return subset, spent, subset.provenance["seconds"]
        start = time.perf_counter()
        bench = TrainingWorkbench(
            self.dataset.train,
            self.grid.recipe,
            seeds,
            lambda name: known[parse_score(name)],
            self.device,
            self.progress,
        )
        subset = method.select(known[method.score], fraction, seeds.selection, bench)
        seconds = time.perf_counter() - start
        subset = replace(subset, provenance={**subset.provenance, "seconds": seconds})
        subset.save(path)
        return subset, spent, seconds

    def scores(self, what: Score, seeds: Seeds) -> Scores:
        """The scores with these seeds; all fold scores of the grid come from one recorded run for each proxy."""
        seed = getattr(seeds, what.seeded_by)
        if self._kept(what, seed) is None:
            self._compute(what, seed)
        scores = self._kept(what, seed)
        assert scores is not None
        return scores

    def _compute(self, what: Score, seed: int) -> None:
        train = self.dataset.train
        if not isinstance(what, FoldScore):
            score(train, what, seed=seed, out=self._folder(what, seed), device=self.device, progress=self.progress)
            return
        wanted = [of for method in self.grid.parsed for of in method.scores if isinstance(of, FoldScore)]
        together = [fold for fold in dict.fromkeys([*wanted, what]) if self._kept(fold, seed) is None]
        seeds = proxy_seeds(seed, self.grid.proxies)
        for fold, scores in zip(
            together, record(train, together, self.grid.proxy, seeds, self.device, self.progress), strict=True
        ):
            scores.save(self._folder(fold, seed))

    def _kept(self, what: Score, seed: int) -> Scores | None:
        """The scores if they are finished, else None."""
        folder = self._folder(what, seed)
        if folder not in self.loaded:
            try:
                self.loaded[folder] = Scores.load(folder)
            except ArtifactError:
                return None
        return self.loaded[folder]

    def _folder(self, what: Score, seed: int) -> Path:
        fingerprint = self.dataset.train.fingerprint
        trained = describe(self.grid.proxy) | {"proxies": self.grid.proxies} if isinstance(what, FoldScore) else None
        return (
            self.out
            / "scores"
            / f"{type(what).__name__}-seed{seed}-{digest([what, self.inputs(what), trained, fingerprint])}"
        )
