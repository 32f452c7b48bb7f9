"""How reliable the scores are at equal numbers of forward passes: draws, antithetic pairs, solvers, timesteps, ELBO.

python benchmarks/studies/equal_passes.py --dataset digits
python benchmarks/studies/equal_passes.py --dataset fashion_mnist --denoiser DIR --images 600

A row is an option at a number of forward passes an image. Its reliability is that of the mean of its draws: split-half
Spearman within classes, lengthened by Spearman and Brown. The last columns are the correlations within classes with
DRD by DDIM and with ELBO, both with many draws of another seed. The rows `again` say what a second such run reaches,
and what few-step solvers reach with as many draws.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro

from drd_plugin.artifacts.reliability import reliability, within_classes
from drd_plugin.core.job import Job
from drd_plugin.core.provenance import digest, git_commit, processor, versions
from drd_plugin.data import Split, load
from drd_plugin.diffusion import denoiser_folder
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scores.diffusion import DiffusionScore
from drd_plugin.scoring import ChunkScorer

OPTIONS: dict[str, tuple[DiffusionScore, int]] = {
    "DRD, step 20": (DRD(timestep=20), 21),
    "DRD, step 20, antithetic": (DRD(timestep=20, antithetic=True), 21),
    "DRD, step 20, DPM-Solver++ of 6": (DRD(timestep=20, solver="dpmsolver++", solver_steps=6), 6),
    "DRD, step 20, DPM-Solver++ of 4": (DRD(timestep=20, solver="dpmsolver++", solver_steps=4), 4),
    "DRD, step 20, UniPC of 6": (DRD(timestep=20, solver="unipc", solver_steps=6), 6),
    "DRD, step 10": (DRD(timestep=10), 11),
    "DRD, step 10, DPM-Solver++ of 6": (DRD(timestep=10, solver="dpmsolver++", solver_steps=6), 6),
    "DRD, steps 10 and 20": (DRD(timesteps=(10, 20)), 32),
    "ELBO, steps 13 to 27": (ELBO(), 15),
    "ELBO, steps 13 to 27, antithetic": (ELBO(antithetic=True), 15),
    "ELBO, steps 1 to 12": (ELBO(gamma_min=1.1, gamma_max=200.0), 12),
}
"""A score, and the forward passes of one draw."""

REFERENCES = {"DRD": "DRD, step 20", "ELBO": "ELBO, steps 13 to 27"}
"""What the others are held against."""

AGAIN = (*REFERENCES.values(), "DRD, step 20, DPM-Solver++ of 6", "DRD, step 20, UniPC of 6")
"""What is run with as many draws as the references."""


def main(
    dataset: str = "digits",
    root: Path | None = None,
    denoiser: str = "auto",
    images: int = 1500,
    forwards: tuple[int, ...] = (42, 84, 168, 336),
    many: int = 64,
    out: Path | None = None,
    work: Path | None = None,
) -> None:
    """Scores and prints.

    Arguments:
        dataset: The data set.
        root: Where it lies.
        denoiser: The diffusion model.
        images: The most images, evenly from the training set.
        forwards: Forward passes an image.
        many: The draws of the scores that the others are held against.
        out: A folder for table.md and table.csv.
        work: A folder that keeps what is finished, from which a stopped run goes on.
    """
    commit = git_commit()  # of the code that runs
    whole, cache = load(dataset, root).train, work or Path(tempfile.mkdtemp())
    cache.mkdir(parents=True, exist_ok=True)
    folder, split = str(denoiser_folder(denoiser, whole)), _some(whole, images)

    def estimates(score: DiffusionScore, draws: int, seed: int) -> np.ndarray:
        """With one network for the distance in all runs, which lies in the cache."""
        score = replace(score, denoiser=folder, draws=draws)
        path = cache / f"{digest([score, seed, split.fingerprint])}.npy"
        if not path.exists():
            scorer = ChunkScorer(split, score, seed, Job(folder=cache))
            np.save(path, scorer.score(np.arange(len(split))).estimates)
        return np.load(path)

    references = {name: estimates(OPTIONS[option][0], many, 1).mean(1) for name, option in REFERENCES.items()}
    rows = []

    def row(name: str, cost: int, draws: int, values: np.ndarray) -> None:
        means = values.mean(1)
        agreed = {f"with {other}": within_classes(means, mean, split.labels) for other, mean in references.items()}
        alike = reliability(values, split.labels)
        rows.append({"option": name, "draws": draws, "forwards": cost * draws, "reliability": alike} | agreed)

    for name, (score, cost) in OPTIONS.items():
        pairs = 2 if score.antithetic else 1
        most = max(forwards) // cost // pairs * pairs
        values = estimates(score, most, 0)
        for budget in forwards:
            draws = budget // cost // pairs * pairs
            if draws:
                row(name, cost, draws, values[:, : draws // pairs])
    for name in AGAIN:
        score, cost = OPTIONS[name]
        row(f"{name}, again", cost, many, estimates(score, many, 2))
    frame = pd.DataFrame(rows)
    table = frame.to_markdown(index=False, floatfmt=("", "d", "d", ".2f", ".3f", ".3f"))
    setting = f"{dataset}, {len(split)} images, {split.num_classes} classes"
    setting += f"; {many} draws in what the others are held against"
    text = f"{table}\n\n*{setting}. {processor()}, {json.dumps(versions())}; commit {commit}.*\n"
    print(text.replace("nan", "-"))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(text.replace("nan", "-"))
        frame.to_csv(out / "table.csv", index=False)


def _some(split: Split, images: int) -> Split:
    index = torch.linspace(0, len(split) - 1, min(images, len(split))).long()
    if len(index) == len(split):
        return split
    return Split(split.name, split.images[index], split.labels[index.numpy()], split.classes)


if __name__ == "__main__":
    tyro.cli(main)
