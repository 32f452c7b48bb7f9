"""What the deviation and the denoising loss say of the likelihood, where it is known.

python benchmarks/studies/oracle.py [--out DIR]

Class-conditional Gaussian mixtures with the exact noise prediction. Each number is Spearman's correlation with
-log q(x_0 | c) within classes, the mean over five classes and the least of them, for the deviation (mean squared error)
from three steps of the grid and the denoising loss over two windows, at equal numbers of forward passes an image.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
from scipy.stats import spearmanr
from tqdm.auto import tqdm

from drd_plugin.diffusion.latents import Latents
from drd_plugin.diffusion.oracle import random_mixture
from drd_plugin.diffusion.perceptual import embedding
from drd_plugin.provenance import git_commit, processor, versions
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scores.drd import Deviation
from drd_plugin.scores.elbo import DenoisingLoss

CPU = torch.device("cpu")


def main(
    dimensions: tuple[int, ...] = (16, 64),
    components: tuple[int, ...] = (1, 3),
    forwards: tuple[int, ...] = (42, 336, 1344),
    images: int = 100,
    out: Path | None = None,
) -> None:
    """Computes and prints.

    Arguments:
        dimensions: The dimensions of the mixtures.
        components: The Gaussians of each class.
        forwards: Forward passes an image.
        images: Images of each class.
        out: A folder for table.md and table.csv.
    """
    commit, rows = git_commit(), []
    for dimension in dimensions:
        for count in components:
            mixture = random_mixture(5, count, dimension, 0.6, variance=0.3 if count == 1 else 0.05)
            labels = torch.arange(5).repeat_interleave(images)
            x_0 = mixture.sample(labels, torch.Generator().manual_seed(0)).float()
            exact = -mixture.log_likelihood(x_0, labels).numpy()
            scorers = {
                f"DRD, step {step}": (step + 1, Deviation(
                    DRD(), mixture, embedding("mse", None, 0, CPU), np.full((5, 1), step), 0, Latents(mixture)
                ))
                for step in (5, 10, 20)
            } | {
                f"ELBO, steps {first} to {last}": (last - first + 1, DenoisingLoss(
                    ELBO(), mixture, np.arange(first, last + 1), 0, Latents(mixture)
                ))
                for first, last in ((1, 12), (13, 27))
            }  # fmt: skip
            for name, (cost, scorer) in tqdm(scorers.items(), f"{dimension} dimensions, {count} components"):
                for budget in forwards:
                    again = replace(scorer, score=replace(scorer.score, draws=budget // cost))
                    with torch.inference_mode():
                        scores = torch.cat([
                            again(x_0[i], labels[i], i) for i in torch.arange(len(labels)).split(50)
                        ]).mean(1).numpy()  # fmt: skip
                    agreed = [spearmanr(scores[labels == c], exact[labels == c]).statistic for c in range(5)]
                    rows.append({
                        "dimension": dimension, "components": count, "score": name, "forwards": budget,
                        "draws": budget // cost, "mean": np.mean(agreed), "least": np.min(agreed),
                    })  # fmt: skip
    frame = pd.DataFrame(rows)
    wide = frame.assign(cell=[f"{a:.2f} ({b:.2f})" for a, b in zip(frame["mean"], frame["least"], strict=True)]).pivot(
        index=["dimension", "components", "score"], columns="forwards", values="cell"
    )
    said = wide.reset_index().to_markdown(index=False, disable_numparse=True)
    text = f"{said}\n\n*Mean over five classes (the least), {images} images each. {processor()}, "
    text += f"{json.dumps(versions())}; commit {commit}.*\n"
    print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(text)
        frame.to_csv(out / "table.csv", index=False)


if __name__ == "__main__":
    tyro.cli(main)
