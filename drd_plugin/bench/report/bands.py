"""What DRD sees: for each class its most likely, middle and least likely images, beside their reconstructions (Figure 1
of the paper).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...artifacts import ArtifactError, Scores, check_fingerprint
from ...core.seeds import keyed_antithetic
from ...data import Split, check_images, check_split, scaled
from ...scores import DRD

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Bands", "likelihood_bands"]

BANDS = ("most likely", "in the middle", "least likely")


@dataclass(frozen=True, eq=False)
class Bands:
    """Images by likelihood.

    Arguments:
        positions: Their positions in the split, int64[C, 3 P]: P of each band.
        images: In [-1, 1], float32[C, 3 P, channels, height, width].
        reconstructions: At the class's timestep with the noise of the first draw; the same shape.
        classes: The class of each row.
        names: The band of each column, where it begins; else "".
    """

    positions: np.ndarray
    images: Tensor
    reconstructions: Tensor
    classes: tuple[str, ...]
    names: tuple[str, ...]


def likelihood_bands(split: Split, scores: Scores, per_band: int = 3, classes: int = 10, device: str = "auto") -> Bands:
    """Reconstructs a few images of each band, as the scores did.

    Arguments:
        split: The training split.
        scores: Its DRD scores.
        per_band: P, how many of each class are in a band.
        classes: The most classes; the first are taken.
        device: `auto`, or a torch device.

    Raises:
        ArtifactError: If the scores are not DRD's, or were made for another split.
        DataError: If the split holds no images.
        DenoiserError: If the diffusion model is not to be had.
        ValueError: If a class has fewer images than a band.
    """
    import torch

    from ...core.device import resolve_device

    check_split(split)
    check_images(split, "a sheet of reconstructions")
    check_fingerprint(scores.fingerprint, split.fingerprint, f"the {scores.name} score")
    what, steps = _asked(scores.provenance), scores.provenance["settings"]["timesteps"]
    shown = min(classes, split.num_classes)
    positions = np.stack([_banded(scores, c, per_band) for c in range(shown)])
    starts = np.array(steps)[split.labels] if len(steps) == split.num_classes and not what.timesteps else steps[:1]
    on, seen = resolve_device(device), what.sees(split)
    index = torch.from_numpy(positions.ravel())
    images = scaled(seen.images[index]).to(on)
    with torch.inference_mode():
        again = _reconstructed(what, seen, images, index, np.broadcast_to(starts, len(split)), scores.provenance, on)
    size = (shown, 3 * per_band, *images.shape[1:])
    names = [name if place == 0 else "" for name in BANDS for place in range(per_band)]
    return Bands(positions, images.cpu().view(size), again.cpu().view(size), split.classes[:shown], tuple(names))


def _asked(made: Mapping[str, Any]) -> DRD:
    """The score as its provenance describes it."""
    described = dict(made.get("score", {}))
    if described.pop("name", "") != "DRD":
        raise ArtifactError(f"expected DRD scores, got {made.get('score')}.")
    return DRD(**described)


def _banded(scores: Scores, c: int, per_band: int) -> np.ndarray:
    """The positions of a class in the three bands, from the most likely on, int64[3 P]."""
    members = np.flatnonzero(scores.labels == c)
    if len(members) < per_band:
        raise ValueError(f"class {c} has {len(members)} images, fewer than the {per_band} of a band.")
    order = members[np.argsort(scores.hardness[members], kind="stable")]
    middle = (len(order) - per_band) // 2
    return np.concatenate([order[:per_band], order[middle : middle + per_band], order[len(order) - per_band :]])


def _reconstructed(
    what: DRD, seen: Split, images: Tensor, index: Tensor, starts: np.ndarray, made: Mapping[str, Any], on: Any
) -> Tensor:
    """The images from their first draw of noise, in [-1, 1]."""
    import torch

    from ...diffusion.solvers import reconstruct_by

    denoiser, latents = what.load(seen, on)
    x_0 = latents(images, index)
    draws = np.zeros(len(index), np.int64)
    noise = keyed_antithetic(made["seed"], "DRD", index.numpy(), draws, tuple(x_0.shape[1:]), what.antithetic)
    return denoiser.decode(
        reconstruct_by(
            what.solver, denoiser, x_0, torch.from_numpy(noise).to(on), torch.from_numpy(starts[index]).to(on),
            torch.from_numpy(seen.labels[index]).to(on), what.steps, what.solver_steps,
        )
    ).clamp(-1, 1)  # fmt: skip
