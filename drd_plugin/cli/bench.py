"""`bench`: run a grid."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..bench.grid import Grid, find_grid

if TYPE_CHECKING:
    from ..bench.store import RunStore

__all__ = ["bench"]


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
    from ..bench.run import run_grid

    wanted: Grid = find_grid(grid)
    changes: dict[str, Any] = {"methods": methods, "fractions": fractions, "seeds": seeds}
    if root is not None:
        changes["dataset"] = {**wanted.dataset, "root": root}
    wanted = replace(wanted, **{key: value for key, value in changes.items() if value})
    folder = out or Path("runs") / wanted.name
    store = run_grid(wanted, folder, device)
    _report(store, folder)


def _report(store: "RunStore", folder: Path) -> None:
    """Writes table.md, table.tex, table.csv and accuracy.png, and prints the first."""
    from ..bench.plots import plot_accuracy, save
    from ..bench.table import latex, markdown, summary

    runs, left_out = store.latest(), store.left_out
    text = markdown(runs, left_out)
    (folder / "table.md").write_text(text)
    summary(runs).to_csv(folder / "table.csv", index=False)
    print(f"\n{text}")
    nets = dict(list(runs.groupby("net")))
    (folder / "table.tex").write_text("\n".join(latex(part, left_out) for part in nets.values()))
    plots = {"accuracy.png" if len(nets) == 1 else f"accuracy-{net}.png": part for net, part in nets.items()}
    for name, part in plots.items():
        save(plot_accuracy(part), folder / name)
    print(f"Written to {folder}: runs/ scores/ subsets/ table.md table.csv table.tex {' '.join(plots)}")
