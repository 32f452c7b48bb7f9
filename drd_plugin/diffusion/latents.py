"""Images as latents, encoded once for all scores that keep them in one folder.

For each batch there is a safetensors file with the latents and the positions of its images, in a subfolder whose name
is a digest of the images (as the denoiser sees them) and of the VAE.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..artifacts import ArtifactError, write_aside
from ..data import Split
from ..provenance import digest
from .denoiser import Denoiser, weights_digest

__all__ = ["Latents"]


class Latents:
    """Encodes images, or finds their latents.

    Arguments:
        denoiser: The diffusion model.
        folder: Where latents are kept; None for nowhere.
    """

    def __init__(self, denoiser: Denoiser, folder: Path | None = None) -> None:
        self.denoiser, self.folder = denoiser, folder

    @classmethod
    def kept(cls, denoiser: Denoiser, model: Path, split: Split, root: str) -> Latents:
        """With the folder for this split and the VAE of a model; nowhere if `root` is empty, or the denoiser works on
        pixels.
        """
        if not root or not (model / "vae").is_dir():
            return cls(denoiser)
        return cls(denoiser, Path(root) / digest([split.fingerprint, weights_digest(model, "vae")]))

    def __call__(self, images: Tensor, index: Tensor) -> Tensor:
        """The latents of a batch, [B, *latent_shape].

        Arguments:
            images: float32[B, C, H, W] in [-1, 1].
            index: Their positions in the data set, int64[B].

        Raises:
            ArtifactError: If a latent is NaN or infinite, or a file is damaged.
        """
        path = (
            self.folder and self.folder / f"latents-{int(index[0]):09d}-{int(index[-1]):09d}-{len(index)}.safetensors"
        )
        if path and path.exists():
            return _read(path, index).to(images.device)
        latents = self.denoiser.encode(images)
        broken = (~latents.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
        if broken:
            raise ArtifactError(
                f"the latent of example {int(index[broken[0]])} is NaN or infinite: look at this image, and at the "
                "precision of the VAE."
            )
        if path:
            with write_aside(path) as aside:
                save_file({"latents": latents.cpu().contiguous(), "index": index.cpu().contiguous()}, aside)
        return latents


def _read(path: Path, index: Tensor) -> Tensor:
    try:
        known = load_file(path)
    except Exception as error:
        raise ArtifactError(f"{path} is damaged ({error}): remove it.") from error
    if not torch.equal(known["index"], index.cpu()):
        raise ArtifactError(f"{path} holds the latents of other images: remove it.")
    return known["latents"]
