"""The staged search for timesteps against the exhaustive one: forward passes, and how far apart the chosen steps are.

python benchmarks/speed/timesteps.py [--seeds 0 1 2] [--sampled 40]

On the digits with their bundled denoiser, and on analytic mixtures of 10, 100 and 1,000 classes; at 1,000 classes the
exhaustive search runs for a sample of the classes.
"""

import json

import numpy as np
import tyro
from tabulate import tabulate
from tqdm.auto import tqdm

from drd_plugin.core.job import Job
from drd_plugin.core.provenance import processor, versions
from drd_plugin.data import Split, load
from drd_plugin.diffusion import Denoiser, InformationBottleneck, choose_timesteps, find_denoiser
from drd_plugin.diffusion.oracle import random_mixture, sample_split
from drd_plugin.diffusion.timesteps.choose import ClassSearch

JOB = Job("cpu", progress=False)


def compared(name: str, denoiser: Denoiser, split: Split, seed: int, sampled: int, estimator: str) -> list[object]:
    """One row: the forward passes of both searches, their ratio, and the share of classes within one step."""
    rules = [InformationBottleneck(estimator=estimator, search=search) for search in ("staged", "exhaustive")]  # type: ignore[arg-type]
    staged = choose_timesteps(rules[0], denoiser, split, seed, JOB)
    members, evaluated = rules[1].representatives(split, seed), rules[1].evaluated(denoiser)
    search = ClassSearch(rules[1], denoiser, split, seed, JOB, batch_size=2048)
    some = np.linspace(0, split.num_classes - 1, min(sampled, split.num_classes)).astype(int)
    gaps = []
    for c in tqdm(some, f"{name}, all of it"):
        slope = rules[1].criterion(search.result(int(c), members[c], evaluated).log_posterior).mean(0)
        gaps.append(abs(int(staged.window[slope.argmax()] - staged.chosen[c])))
    exact, near = np.mean(np.array(gaps) == 0), np.mean(np.array(gaps) <= 1)
    return [name, estimator, seed, len(some), f"{staged.exhaustive:,}", f"{staged.forwards:,}",
            f"{staged.exhaustive / staged.forwards:.1f}", f"{100 * exact:.0f} %", f"{100 * near:.0f} %",
            f"{100 * staged.dropped:.2g} %"]  # fmt: skip


def main(seeds: tuple[int, ...] = (0, 1, 2), sampled: int = 40) -> None:
    """Runs and prints.

    Arguments:
        seeds: The noise seeds.
        sampled: The most classes for which the exhaustive search runs.
    """
    digits, rows = load("digits").train, []
    denoiser = find_denoiser("auto", digits, JOB.torch_device)
    for seed in seeds:
        rows += [compared("digits", denoiser, digits, seed, sampled, "eq9")]
    rows += [compared("digits", denoiser, digits, seeds[0], sampled, "eq6")]
    for classes, siblings in ((10, 1), (100, 10), (1000, 10)):
        mixture = random_mixture(classes, 1, 64, spread=0.4, siblings=siblings, seed=classes)
        split = sample_split(mixture, 25)
        rows += [compared(f"mixture of {classes}", mixture, split, seeds[0], sampled, "eq9")]
    headers = ["data", "criterion", "seed", "classes compared", "exhaustive", "staged", "ratio", "same step",
               "within one step", "dropped weigh at most"]  # fmt: skip
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))
    print(f"\nB = 20 images a class, 20 noises; {processor()}, {json.dumps(versions())}")


if __name__ == "__main__":
    tyro.cli(main)
