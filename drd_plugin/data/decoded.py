"""Images that are decoded on access, indexed like a tensor."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from typing_extensions import override

from .decoding import Decoding, open_image
from .split import Images

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DecodedImages"]

log = logging.getLogger(__name__)

REMARKS = {
    "16 bits": "holds 16 bits, of which the high byte is taken",
    "floating point": "holds floating-point numbers in [0, 1], which are multiplied by 255",
    "transparent": "has transparent pixels, which are laid on {background} (the setting background)",
    "animated": "is animated, and the first frame is taken",
}


class DecodedImages(Images, ABC):
    """Images that are decoded on access. What is done to the first of a kind that its owner may not expect is logged.

    Arguments:
        decoding: The size, channels, crop and background of the decoded images.
    """

    def __init__(self, decoding: Decoding) -> None:
        self.decoding = decoding
        self._remarked: set[str] = set()

    @property
    @override
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self.decoding.channels, self.decoding.size, self.decoding.size

    def decoded(self, size: int, channels: int, crop: str) -> Self:
        """The same images, decoded to another size and number of channels by another crop."""
        images = copy(self)
        images.decoding = replace(self.decoding, size=size, mode="rgb" if channels == 3 else "grey", crop=crop)
        return images

    @abstractmethod
    def sources(self, index: Sequence[int]) -> list[tuple[Path | bytes, str]]:
        """The files or the contents of the images at some positions, and their names in messages."""

    @override
    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at the positions int64[B], as uint8[B, C, H, W].

        Raises:
            DataError: If one cannot be decoded; the message names it.
        """
        import torch

        sources = self.sources(index.tolist())
        if torch.utils.data.get_worker_info() is not None:
            return torch.from_numpy(np.stack([self._decode(*each)[0] for each in sources]))
        with ThreadPoolExecutor() as pool:
            decoded = [*pool.map(self._decode, *zip(*sources, strict=True))] if sources else []
        for (_, name), (_, remarks) in zip(sources, decoded, strict=True):
            self._log(name, {*remarks} & {*REMARKS} - self._remarked)
        return torch.from_numpy(np.stack([pixels for pixels, _ in decoded]))

    def _decode(self, source: Path | bytes, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        with open_image(source, name) as image:
            return self.decoding.square(image)

    def _log(self, name: str, remarks: set[str]) -> None:
        """Logs the remarks on an image, the first of its kind."""
        self._remarked |= remarks
        for remark in sorted(remarks):
            text = REMARKS[remark].format(background=self.decoding.background)
            log.warning("%s %s; so with others like it, which drd-plugin check counts", name, text)
