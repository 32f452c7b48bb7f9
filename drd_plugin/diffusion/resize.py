"""Images as a denoiser takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor
from torchvision.transforms.functional import center_crop, resize

from ..data import DataError, Split
from ..data.decoded import DecodedImages
from ..data.split import Images
from .denoisers.base import how_to_fit
from .denoisers.load import denoiser_folder, image_shape

__all__ = ["resized_for"]


def resized_for(denoiser: str, split: Split, in_memory: bool = False) -> Split:
    """The split with its images decoded in the size that a denoiser takes, and cropped like the denoiser's training
    images: by ADM's rule for a model with a VAE (DiT), by this library's for one that `drd-plugin fit` made. A split in
    memory is returned unchanged, unless `in_memory`.

    Arguments:
        denoiser: The denoiser's name; see `drd_plugin.diffusion.denoisers.load.denoiser_folder`.
        split: The training split.
        in_memory: Whether images in memory are resized and cropped too, and grey ones repeated over the channels.

    Raises:
        DenoiserError: If there is no such denoiser.
        DataError: If the denoiser takes grey images, and those in memory have colours.
    """
    images = split.images
    if not isinstance(images, DecodedImages) and not in_memory:
        return split
    folder = Path(denoiser_folder(denoiser, split))
    channels, size, _ = image_shape(folder)
    if not isinstance(images, DecodedImages):
        return _resized_in_memory(split, channels, size)
    crop = "adm" if (folder / "vae").is_dir() else "fit"
    if split.shape == (channels, size, size) and images.decoding.crop == crop:
        return split
    images = images.decoded(size, channels, crop)
    return replace(split, images=images, content=f"{split.fingerprint} as {channels} x {size} x {size} by {crop}")


def _resized_in_memory(split: Split, channels: int, size: int) -> Split:
    if split.shape == (channels, size, size):
        return split
    if channels not in (split.shape[0], 3):
        raise DataError(
            f"the denoiser takes images with {channels} channels, but {split.name} has {split.shape[0]}: fit one for "
            f"these images ({how_to_fit(split)})."
        )
    content = f"{split.fingerprint} as {channels} x {size} x {size}"
    return replace(split, images=_Resized(split.images, channels, size), content=content)


class _Resized:
    def __init__(self, images: Images, channels: int, size: int) -> None:
        self.images, self.shape = images, (len(images), channels, size, size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Tensor) -> Tensor:
        images = self.images[index]
        _, channels, size, _ = self.shape
        images = center_crop(resize(images, size, antialias=True), [size, size])
        return images.expand(-1, channels, -1, -1) if images.shape[1] != channels else images
