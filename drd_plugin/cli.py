"""The command line. Flags come from the dataclasses of scores, recipes and fits; a fraction is always the share that is
kept.
"""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union

import tyro

from .artifacts import ArtifactError, Scores, Subset, check_fingerprint
from .bench.grid import Grid, find_grid, grid_names
from .data import DATASETS
from .diffusion.fit import Fit
from .diffusion.timestep import InformationBottleneck
from .methods import METHODS, Method, parse_strategy
from .rng import Seeds
from .scores import SCORES, FoldScore
from .strategies import STRATEGIES, PerClass
from .training.recipe import Recipe

if TYPE_CHECKING:
    from .data import Dataset

__all__ = ["main"]

PROXY = Recipe().for_epochs(30)


@dataclass(frozen=True)
class Data:
    """Which data.

    Arguments:
        dataset: A name that `drd-plugin list` shows, or hf:NAME.
        root: Where the data lie, for those that are neither embedded nor downloaded.
        size: Height and width in pixels to resize the images of a folder to.
    """

    dataset: str
    root: Path | None = None
    size: int | None = None

    def load(self) -> "Dataset":
        """The data set."""
        from .data import load

        return load(self.dataset, self.root, self.size)


def list_() -> None:
    """Show the data sets, scores, strategies, methods, nets and grids that can be named."""
    from tabulate import tabulate

    from .training.nets import NETS

    for title, registry in (("data sets", DATASETS), ("scores", SCORES), ("strategies", STRATEGIES)):
        print(f"\n{title}")
        print(tabulate([(name, _first_line(thing)) for name, thing in registry.items()], tablefmt="plain"))
    print("\nnets")
    print(tabulate([(name, _first_line(make)) for name, make in NETS.items()], tablefmt="plain"))
    print("\nmethods (any SCORE+STRATEGY is one too; settings in brackets: DRD[draws=16])")
    print(
        tabulate(
            [(name, repr(m.score), repr(m.strategy)) for name, m in METHODS.items()],
            tablefmt="plain",
            maxcolwidths=[None, 60, 60],
        )
    )
    print("\ngrids")
    print(tabulate(list(grid_names().items()), tablefmt="plain"))


def _first_line(thing: Any) -> str:
    return (thing.__doc__ or "").strip().splitlines()[0]


def bench(
    grid: Annotated[str, tyro.conf.Positional] = "digits",
    out: Path | None = None,
    methods: tuple[str, ...] = (),
    fractions: tuple[float, ...] = (),
    seeds: tuple[int, ...] = (),
    root: Path | None = None,
    device: str = "auto",
) -> None:
    """Run a grid and print its table. A grid that was stopped goes on where it stopped.

    Arguments:
        grid: The name of a grid (see `drd-plugin list`), or a TOML file.
        out: The folder for the results; runs/NAME by default.
        methods: Methods instead of the grid's.
        fractions: Kept fractions instead of the grid's.
        seeds: Seeds instead of the grid's.
        root: Where the data lie.
        device: auto, or a torch device.
    """
    from .bench.run import run_grid

    wanted: Grid = find_grid(grid)
    changes: dict[str, Any] = {"methods": methods, "fractions": fractions, "seeds": seeds}
    if root is not None:
        changes["dataset"] = {**wanted.dataset, "root": root}
    wanted = replace(wanted, **{key: value for key, value in changes.items() if value})
    folder = out or Path("runs") / wanted.name
    store = run_grid(wanted, folder, device)
    _report(store.frame(), folder)


def _report(runs: Any, folder: Path) -> None:
    """Writes table.md, table.tex, table.csv and accuracy.png, and prints the first."""
    from .bench.plots import plot_accuracy, save
    from .bench.table import latex, markdown, summary

    text = markdown(runs)
    (folder / "table.md").write_text(text)
    summary(runs).to_csv(folder / "table.csv", index=False)
    nets = dict(list(runs.groupby("net")))
    (folder / "table.tex").write_text("\n".join(latex(part) for part in nets.values()))
    for net, part in nets.items():
        save(plot_accuracy(part), folder / ("accuracy.png" if len(nets) == 1 else f"accuracy-{net}.png"))
    print(f"\n{text}\nWritten to {folder}: runs/ scores/ subsets/ table.md table.csv table.tex accuracy.png")


def _score() -> Callable[..., None]:
    """`score` with a subcommand for each score."""
    kinds = [
        Annotated[Any, tyro.conf.subcommand(name, constructor=_score_command(kind))] for name, kind in SCORES.items()
    ]

    def score(done: Union[tuple(kinds)]) -> None:  # type: ignore[valid-type]  # noqa: UP007
        """Score the training examples of a data set."""

    return score


def _score_command(kind: Any) -> Callable[..., None]:
    """The command for one score; only fold scores have a proxy's flags."""
    from .engine import score

    def finish(scores: Scores, out: Path) -> None:
        low, high = scores.values.min(), scores.values.max()
        print(f"{scores.name} of {len(scores)} examples of {scores.fingerprint}, {low:.4g} to {high:.4g}, in {out}")

    def fold(
        what: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        proxies: int = 1,
        device: str = "auto",
        recipe: Recipe = PROXY,
    ) -> None:
        finish(score(data.load().train, what, seed=seed, out=out, recipe=recipe, proxies=proxies, device=device), out)

    def map_(what: tyro.conf.OmitArgPrefixes[kind], data: Data, out: Path, seed: int = 0, device: str = "auto") -> None:
        finish(score(data.load().train, what, seed=seed, out=out, device=device), out)

    command = fold if issubclass(kind, FoldScore) else map_
    command.__doc__ = f"""{_first_line(kind)}

    Arguments:
        out: The folder to write the scores to; an unfinished one is continued.
        seed: The proxy's or the noise's seed.
        proxies: How many proxies are averaged.
        device: auto, or a torch device.
    """
    return command


def select(
    scores: Path,
    strategy: str,
    fraction: float,
    out: Path,
    recipe: Recipe,
    seed: int = 0,
    per_class: bool = False,
    other_scores: tuple[Path, ...] = (),
    dataset: str | None = None,
    root: Path | None = None,
    size: int | None = None,
    device: str = "auto",
) -> None:
    """Select a subset from scores.

    Arguments:
        scores: The folder that `drd-plugin score` wrote.
        strategy: A strategy or method with settings in brackets: Hardest, CCS, "BestWindow[selector=train]".
        fraction: The share of the examples that is kept, in (0, 1].
        out: The JSON file to write.
        recipe: How strategies that train do it.
        seed: Breaks ties and draws.
        per_class: Apply the strategy within each class.
        other_scores: Folders of further scores that the strategy asks for (CCS: AUM).
        dataset: The data set, for strategies that train networks; the one that was scored by default.
        root: Where the data lie.
        size: Size of a folder's images.
        device: auto, or a torch device.
    """
    of = Scores.load(scores)
    others = {s.name: s for s in map(Scores.load, other_scores)} | {of.name: of}
    how = parse_strategy(strategy)
    how = PerClass(how) if per_class else how
    workbench = None
    if how.trains or len(others) > 1:
        workbench = _workbench(
            of, others, Data(dataset or of.provenance["dataset"], root, size), Seeds.all(seed), recipe, device
        )
    subset = Method(f"{of.name}+{strategy}", SCORES[of.name](), how).select(of, fraction, seed, workbench)
    subset.save(out)
    print(f"{len(subset)} of {subset.n} examples by {subset.method}, {_short(subset.chosen)}in {out}")


def _workbench(of: Scores, others: dict[str, Scores], data: Data, seeds: Seeds, recipe: Recipe, device: str) -> Any:
    from .workbench import TrainingWorkbench

    train = data.load().train
    for scores in others.values():
        check_fingerprint(scores.fingerprint, train.fingerprint, f"the {scores.name} score")

    def look_up(name: str) -> Scores:
        if name not in others:
            raise ArtifactError(f"the strategy asks for the {name} score too: give its folder with --other-scores.")
        return others[name]

    return TrainingWorkbench(train, recipe, seeds, look_up, device)


def _short(chosen: Any) -> str:
    plain = {key: value for key, value in chosen.items() if isinstance(value, (str, int, float))}
    return "".join(f"{key} {value}, " for key, value in plain.items())


def train(data: Data, subset: Path, recipe: Recipe, seeds: int = 1, device: str = "auto") -> None:
    """Train on a subset and test.

    Arguments:
        subset: The JSON file that `drd-plugin select` wrote.
        recipe: How to train.
        seeds: The number of trainings, with the seeds 0, 1, ...
        device: auto, or a torch device.
    """
    import numpy as np

    from .training.loop import train

    dataset, chosen = data.load(), Subset.load(subset)
    check_fingerprint(chosen.fingerprint, dataset.train.fingerprint, f"the subset {subset}")
    results = []
    for seed in range(seeds):
        done = train(
            dataset.train, recipe, seed_init=seed, seed_order=seed, indices=chosen.indices, weights=chosen.weights,
            test=dataset.test, device=device, progress=f"seed {seed}",
        )  # fmt: skip
        results.append(done.acc_last)
        print(
            f"seed {seed}: {done.acc_last:.2f} % after {done.steps} steps (best {done.acc_best:.2f} %), "
            f"{done.seconds:.1f} s"
        )
    spread = f" ± {np.std(results, ddof=1):.2f}" if seeds > 1 else ""
    print(f"{chosen.method}, {len(chosen)} of {chosen.n} examples: {np.mean(results):.2f}{spread} % over {seeds} seeds")


def timestep(
    data: Data,
    rule: tyro.conf.OmitArgPrefixes[InformationBottleneck] = InformationBottleneck(),
    denoiser: str = "auto",
    seed: int = 0,
    device: str = "auto",
    plot: Path | None = None,
) -> None:
    """Choose the reconstruction timestep of each class by the information bottleneck (Eqs. 6 to 9).

    Arguments:
        rule: The rule.
        denoiser: A folder in the diffusers format, or auto for the bundled one.
        seed: Decides images and noise.
        device: auto, or a torch device.
        plot: A PNG for the curves.
    """
    from tabulate import tabulate

    from .bench.plots import plot_timesteps, save
    from .diffusion.denoiser import find_denoiser
    from .training.loader import resolve_device

    split, on = data.load().train, resolve_device(device)
    model = find_denoiser(denoiser, split, on)
    choice = rule.choose(model, split, seed, on)
    rows = [(name, t, slope.max()) for name, t, slope in zip(split.classes, choice.chosen, choice.slope, strict=True)]
    print(tabulate(rows, headers=["class", f"step of {rule.steps}", "slope"], floatfmt=".3f"))
    print(f"candidates {choice.window[0]} to {choice.window[-1]}, {choice.forwards:,} forward passes")
    if plot is not None:
        save(plot_timesteps(choice, split.classes), plot)
        print(f"curves in {plot}")


def fit(data: Data, out: Path, fit: tyro.conf.OmitArgPrefixes[Fit] = Fit(), device: str = "auto") -> None:
    """Fit a small class-conditional denoiser to a data set, for DRD and ELBO.

    Arguments:
        out: The folder to write, in the diffusers format.
        fit: The settings.
        device: auto, or a torch device.
    """
    card = fit(data.load().train, out, device, command=shlex.join(["drd-plugin", *sys.argv[1:]]))
    print(
        f"{card['parameters']:,} parameters, loss {card['loss'][0]:.4f} to {card['loss'][-1]:.4f}, "
        f"{card['seconds']:.0f} s, in {out}"
    )


def show(path: Annotated[Path, tyro.conf.Positional]) -> None:
    """Show what an artefact is and where it came from: scores, a subset, the results of a grid, or a denoiser.

    Arguments:
        path: The folder or file.
    """
    from tabulate import tabulate

    if path.suffix == ".json" and path.is_file():
        subset = Subset.load(path)
        print(
            tabulate(
                [
                    ("subset by", subset.method),
                    ("examples", f"{len(subset)} of {subset.n}"),
                    ("made for", subset.fingerprint),
                ],
                tablefmt="plain",
            )
        )
        print(json.dumps({"chosen": subset.chosen, "provenance": subset.provenance}, indent=2))
    elif (path / "grid.json").exists():
        from .bench.store import RunStore
        from .bench.table import markdown

        print((path / "grid.json").read_text())
        print(markdown(RunStore(path).frame()))
    elif (path / "card.json").exists():
        print((path / "card.json").read_text())
    else:
        scores = Scores.load(path)
        quantiles = [float(f"{q:.5g}") for q in _quantiles(scores)]
        rows = [
            ("scores", scores.name),
            ("examples", len(scores)),
            ("made for", scores.fingerprint),
            ("harder is", "higher" if scores.higher_is_harder else "lower"),
            ("estimates each", scores.estimates.shape[1]),
            ("min, quartiles, max", quantiles),
            ("mean standard error", "-" if scores.stderr is None else f"{scores.stderr.mean():.4g}"),
        ]
        print(tabulate(rows, tablefmt="plain"))
        print(json.dumps(dict(scores.provenance), indent=2))


def _quantiles(scores: Scores) -> Sequence[float]:
    import numpy as np

    return np.quantile(scores.values, [0, 0.25, 0.5, 0.75, 1]).tolist()


def main(args: Sequence[str] | None = None) -> None:
    """The entry point; errors that the user can mend are one message, without a traceback."""
    commands: dict[str, Callable[..., None]] = {
        "list": list_,
        "bench": bench,
        "score": _score(),
        "select": select,
        "train": train,
        "timestep": timestep,
        "fit": fit,
        "show": show,
    }
    try:
        tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="drd-plugin",
            description="Core-set selection: DRD and its baselines on one harness.",
            args=args,
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except (ValueError, FileExistsError, FloatingPointError) as error:
        sys.exit(f"drd-plugin: {error}")
