"""Images as a denoiser takes them: resized, and grey ones repeated over three channels."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torchvision.transforms.functional import center_crop, resize

from ..data import DataError, Split
from ..data.split import Images
from ..diffusion.denoisers.base import how_to_fit
from ..diffusion.denoisers.load import denoiser_folder, image_shape
from ..diffusion.resize import resized_for
from ..scores import MapScore

__all__ = ["resized_for_score"]


def resized_for_score(split: Split, score: MapScore) -> Split:
    """The split as the score's denoiser takes it; the split itself where it fits, or the score has no denoiser.

    Raises:
        DenoiserError: If there is no denoiser.
        DataError: If the denoiser takes grey images and these have colours.
    """
    name = getattr(score, "denoiser", None)
    if name is None:
        return split
    split = resized_for(name, split)
    channels, size, _ = image_shape(denoiser_folder(name, split))
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
