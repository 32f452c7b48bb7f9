"""Images as a denoiser takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..data import Split
from ..data.folders import FolderImages
from .denoiser import denoiser_folder, image_shape

__all__ = ["as_seen", "seen_by"]


def as_seen(split: Split, shape: tuple[int, int, int]) -> Split:
    """The split with images of another shape, where they are files: these are decoded again, with ADM's crop, as DiT
    was trained. Images in memory stay as they are.
    """
    if split.shape == shape or not isinstance(split.images, FolderImages):
        return split
    channels, size, _ = shape
    images = FolderImages(split.images.paths, size, channels, crop="adm")
    return replace(split, images=images, content=f"{split.fingerprint} as {channels} x {size} x {size} by adm")


def seen_by(denoiser: str, split: Split) -> Split:
    """The split as a denoiser sees it, by the denoiser's name; see `as_seen`.

    Raises:
        DenoiserError: If there is no such denoiser.
    """
    return as_seen(split, image_shape(Path(denoiser_folder(denoiser, split))))
