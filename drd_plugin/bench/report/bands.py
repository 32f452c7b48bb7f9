"""The most likely, middle and least likely images of each class by DRD, beside their reconstructions (Figure 1 of the
paper).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...artifacts import ArtifactError, Scores, check_fingerprint
from ...core.device import resolve_device
from ...data import Split, check_images, check_split, scaled
from ...diffusion import embedding
from ...scores import DRD
from ...scores.drd import Deviation

__all__ = ["Bands", "likelihood_bands"]

BANDS = ("most likely", "in the middle", "least likely")


@dataclass(frozen=True, eq=False)
class Bands:
    """Images of each class by likelihood, with their reconstructions.

    Arguments:
        positions: Their positions in the split, int64[C, 3 P]: P of each band.
        images: In [-1, 1], float32[C, 3 P, channels, height, width].
        reconstructions: At the class's timestep with the noise of the first draw; the same shape.
        classes: The class of each row.
        names: The band's name in the column where it begins; "" in the others.
    """

    positions: np.ndarray
    images: Tensor
    reconstructions: Tensor
    classes: tuple[str, ...]
    names: tuple[str, ...]


def likelihood_bands(split: Split, scores: Scores, per_band: int = 3, classes: int = 10, device: str = "auto") -> Bands:
    """A few images of each band, with their reconstructions as the scores have them.

    Arguments:
        split: The training split.
        scores: Its DRD scores.
        per_band: P, the number of images of each class in a band.
        classes: The number of classes; the first ones, at most all.
        device: `auto`, or a torch device.

    Raises:
        ArtifactError: If the scores are not DRD's, or were made for another split.
        DataError: If the split holds no images.
        DenoiserError: If the diffusion model is not available.
        ValueError: If a class has fewer images than a band.
    """
    check_split(split)
    check_images(split, "a sheet of reconstructions")
    check_fingerprint(scores.fingerprint, split.fingerprint, f"the {scores.name} score")
    score, steps = _score(scores.provenance), np.array(scores.provenance["settings"]["timesteps"])
    rows = min(classes, split.num_classes)
    positions = np.stack([_bands(scores, c, per_band) for c in range(rows)])
    by_class = len(steps) == split.num_classes and not score.timesteps
    starts = steps[split.labels] if by_class else np.full(len(split), steps[0])
    on_device, resized = resolve_device(device), score.resized(split)
    index = positions.ravel()
    images = scaled(resized.images[torch.from_numpy(index)]).to(on_device)
    denoiser, encode = score.load(resized, on_device)
    seed, pixels = scores.provenance["seed"], embedding("mse", resized, 0)
    deviation = Deviation(score, denoiser, encode, seed, on_device, pixels, starts[:, None])
    labels, start = (torch.from_numpy(values[index]).to(on_device) for values in (resized.labels, starts))
    with torch.inference_mode():
        x_0 = encode(images, torch.from_numpy(index))
        latents = deviation.reconstruct(x_0, labels, index, np.zeros(len(index), np.int64), start)
        reconstructions = denoiser.decode(latents).clamp(-1, 1)
    size = (rows, 3 * per_band, *images.shape[1:])
    names = tuple(name if place == 0 else "" for name in BANDS for place in range(per_band))
    return Bands(positions, images.cpu().view(size), reconstructions.cpu().view(size), split.classes[:rows], names)


def _score(provenance: Mapping[str, Any]) -> DRD:
    """The score as its provenance describes it."""
    settings = dict(provenance.get("score", {}))
    if settings.pop("name", "") != "DRD":
        raise ArtifactError(f"expected DRD scores, got {provenance.get('score')}.")
    return DRD(**settings)


def _bands(scores: Scores, c: int, per_band: int) -> np.ndarray:
    """The positions of a class in the three bands, from the most likely on, int64[3 P]."""
    members = np.flatnonzero(scores.labels == c)
    if len(members) < per_band:
        raise ValueError(f"class {c} has {len(members)} images, fewer than the {per_band} of a band.")
    order = members[np.argsort(scores.hardness[members], kind="stable")]
    middle = (len(order) - per_band) // 2
    return np.concatenate([order[:per_band], order[middle : middle + per_band], order[len(order) - per_band :]])
