"""What the deviation and the denoising loss say of the likelihood, where it is known.

python benchmarks/studies/oracle.py [--out DIR]

Class-conditional Gaussian mixtures with the exact noise prediction. Each number is Spearman's correlation with
-log q(x_0 | c) within classes, the mean over five classes and the least of them, for the deviation (mean squared error)
from three steps of the grid and the denoising loss over two windows, at equal numbers of forward passes an image.
"""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro
from tqdm.auto import tqdm

from drd_plugin.core.job import Job
from drd_plugin.core.provenance import git_commit, processor, versions
from drd_plugin.diffusion import GaussianMixture, Latents, embedding
from drd_plugin.diffusion.oracle import agreement, random_mixture
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scores.drd import Deviation
from drd_plugin.scores.elbo import DenoisingLoss

CPU = torch.device("cpu")


def scorers(mixture: GaussianMixture) -> dict[str, tuple[int, Any]]:
    """The scores, each with the forward passes of one draw."""
    mse, latents = embedding("mse", None, 0, Job("cpu")), Latents(mixture)  # type: ignore[arg-type]
    deviations = {
        f"DRD, step {step}": (step + 1, Deviation(DRD(), mixture, latents, 0, CPU, mse, np.full((5, 1), step)))
        for step in (5, 10, 20)
    }
    losses = {
        f"ELBO, steps {first} to {last}": (
            last - first + 1,
            DenoisingLoss(ELBO(), mixture, latents, 0, CPU, np.arange(first, last + 1)),
        )
        for first, last in ((1, 12), (13, 27))
    }
    return deviations | losses


def main(
    dimensions: tuple[int, ...] = (16, 64),
    components: tuple[int, ...] = (1, 3),
    variances: tuple[float, ...] = (0.3, 0.05),
    forwards: tuple[int, ...] = (42, 336, 1344),
    images: int = 100,
    out: Path | None = None,
) -> None:
    """Computes and prints.

    Arguments:
        dimensions: The dimensions of the mixtures.
        components: The Gaussians of each class.
        variances: The variance of each Gaussian; the classes' means have that of 0.36.
        forwards: Forward passes an image.
        images: Images of each class.
        out: A folder for table.md and table.csv.
    """
    commit, rows = git_commit(), []
    for dimension, count, variance in product(dimensions, components, variances):
        mixture = random_mixture(5, count, dimension, 0.6, variance=variance)
        labels = torch.arange(5).repeat_interleave(images)
        x_0 = mixture.sample(labels, torch.Generator().manual_seed(0)).float()
        setting = f"{dimension} dimensions, {count} components of variance {variance}"
        for name, (cost, scorer) in tqdm(scorers(mixture).items(), setting):
            for budget in forwards:
                again = replace(scorer, score=replace(scorer.score, draws=budget // cost))
                with torch.inference_mode():
                    parts = torch.arange(len(labels)).split(50)
                    values = torch.cat([again(x_0[i], labels[i], i) for i in parts]).mean(1)
                agreed = agreement(mixture, values, x_0, labels)
                rows.append({
                    "dimension": dimension, "components": count, "variance": variance, "score": name,
                    "forwards": budget, "draws": budget // cost, "mean": agreed.mean(), "least": agreed.min(),
                })  # fmt: skip
    frame = pd.DataFrame(rows)
    wide = frame.assign(cell=[f"{a:.2f} ({b:.2f})" for a, b in zip(frame["mean"], frame["least"], strict=True)]).pivot(
        index=["dimension", "components", "variance", "score"], columns="forwards", values="cell"
    )
    table = wide.reset_index().to_markdown(index=False, disable_numparse=True)
    text = f"{table}\n\n*Mean over five classes (the least), {images} images each. {processor()}, "
    text += f"{json.dumps(versions())}; commit {commit}.*\n"
    print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(text)
        frame.to_csv(out / "table.csv", index=False)


if __name__ == "__main__":
    tyro.cli(main)
