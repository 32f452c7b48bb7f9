"""From a training split to a sampler in one call."""

from __future__ import annotations

from pathlib import Path

from ..core.job import Job
from ..core.seeds import Seeds, check_seed
from ..data import Split, check_split
from ..scoring.cache import ScoreCache
from ..selection.workbench import SplitWorkbench
from ..training.recipe import PROXY, Recipe
from .base import Dynamic, Examples
from .names import parse_dynamic
from .plan import Plan
from .sampler import DynamicSampler, check_epochs

__all__ = ["dynamic_sampler"]


def dynamic_sampler(
    split: Split,
    method: str | Dynamic,
    fraction: float,
    epochs: int | None = None,
    *,
    slope: float = 0.0,
    full_last: float = 0.0,
    seed: int = 0,
    proxy: Recipe = PROXY,
    folder: Path | None = None,
    device: str = "auto",
    progress: bool = True,
) -> DynamicSampler:
    """A sampler that chooses the examples of each epoch; scores and factors that its method needs are computed first.

    Arguments:
        split: The training split.
        method: A dynamic method, or its name as `drd_plugin.dynamic.parse_dynamic` reads it.
        fraction: The share of the examples in an epoch, in (0, 1]; no effect where the method itself determines it.
        epochs: The number of epochs; None for `drd_plugin.train`, which reports its progress to the sampler.
        slope: See `Plan`.
        full_last: See `Plan`.
        seed: The seed of all random draws, of the scores and of the factors.
        proxy: How the proxy that scores and factors need is trained, in epochs.
        folder: Where scores and factors are stored and read again; in memory by default.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        UnknownName: If the method is not known.
        ValueError: If the fraction leaves an epoch without examples, or is no share; or if there is no epoch.
    """
    check_split(split)
    check_epochs(epochs)
    check_seed(seed)
    chosen = parse_dynamic(method) if isinstance(method, str) else method
    if not isinstance(chosen, Dynamic):
        raise ValueError(f"expected a dynamic method or its name, got {method!r}.")
    plan = Plan(fraction, slope, full_last)
    plan.check(len(split))
    job = Job(device, progress, None if folder is None else Path(folder))
    cache = ScoreCache(split, proxy, job=job)
    values = chosen.prepare(SplitWorkbench(cache, Seeds.all(seed)))
    examples = Examples(split.labels, split.num_classes, split.fingerprint, values)
    return DynamicSampler(chosen, examples, plan, epochs=epochs, seed=seed)
