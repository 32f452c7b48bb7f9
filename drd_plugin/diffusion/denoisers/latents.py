"""The latents of images, encoded once for all scores that share a folder for them.

Each batch of images has a safetensors file, named by a digest of the pixels, in a subfolder for the VAE.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ...artifacts import ArtifactError
from ...artifacts.files import load_tensors, save_tensors
from ..batching import Batches, image_batch
from .base import Denoiser
from .load import weights_digest

__all__ = ["Latents"]


class Latents:
    """Encodes images, or reads latents that were stored before.

    Arguments:
        denoiser: The diffusion model.
        folder: The folder for the latents; None to store none.
    """

    def __init__(self, denoiser: Denoiser, folder: Path | None = None) -> None:
        self.denoiser, self.folder = denoiser, folder

    @classmethod
    def in_folder(cls, denoiser: Denoiser, model: Path, root: str) -> Latents:
        """`Latents` in `root`'s subfolder for a model's VAE; without a folder if `root` is "" or there is no VAE."""
        if not root or not (model / "vae").is_dir():
            return cls(denoiser)
        return cls(denoiser, Path(root) / weights_digest(model, "vae"))

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """The latents of a batch, [B, *latent_shape].

        Arguments:
            images: float32[B, C, H, W] in [-1, 1].
            index: Their positions in the data set, int64[B].

        Raises:
            ArtifactError: If a latent is NaN or infinite, or a file is damaged.
        """
        path = self.folder and self.folder / f"latents-{_digest(images)}.safetensors"
        if path and path.exists():
            return load_tensors(path)[0]["latents"].to(images.device)
        latents = self.batches.over(images, self.denoiser.encode)
        broken = (~latents.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
        if broken:
            raise ArtifactError(
                f"the latent of example {int(index[broken[0]])} is NaN or infinite: look at this image, and at the "
                "precision of the VAE."
            )
        if path:
            save_tensors({"latents": latents}, path)
        return latents

    @cached_property
    def batches(self) -> Batches:
        """The batches of images; a size that had to shrink stays for later calls."""
        return Batches(image_batch(self.denoiser.image_shape))


def _digest(images: Tensor) -> str:
    return hashlib.sha256(images.to("cpu", torch.float32).numpy().tobytes()).hexdigest()[:24]
