"""Images in the size that a denoiser takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..data import Split
from ..data.folders import DecodedImages
from .denoisers.load import denoiser_folder, image_shape

__all__ = ["resized_for"]


def resized_for(denoiser: str, split: Split) -> Split:
    """The split with its images decoded in the size that a denoiser takes, and cropped like the denoiser's training
    images: by ADM's rule for a model with a VAE (DiT), by this library's for one that `drd-plugin fit` made. A split in
    memory is returned unchanged.

    Arguments:
        denoiser: The denoiser's name; see `drd_plugin.diffusion.denoisers.load.denoiser_folder`.
        split: The training split.

    Raises:
        DenoiserError: If there is no such denoiser.
    """
    if not isinstance(split.images, DecodedImages):
        return split
    folder = Path(denoiser_folder(denoiser, split))
    channels, size, _ = image_shape(folder)
    crop = "adm" if (folder / "vae").is_dir() else "fit"
    if split.shape == (channels, size, size) and split.images.crop == crop:
        return split
    images = split.images.decoded(size, channels, crop)
    return replace(split, images=images, content=f"{split.fingerprint} as {channels} x {size} x {size} by {crop}")
