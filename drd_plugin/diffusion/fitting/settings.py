"""`Fit`: the settings for fitting a class-conditional denoiser to a data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...core.registry import check_fields, check_least
from ...data import DataError
from ..denoisers.base import PredictionType

__all__ = ["Fit", "recommended"]

RECOMMENDED = {8: (16, 32, 64), 32: (32, 64, 128), 64: (64, 128, 256), 256: (64, 128, 256, 256)}
"""The U-Net's channels by the greatest height and width of the images."""


def recommended(size: int) -> tuple[int, ...]:
    """The U-Net's channels for images of this height and width.

    Raises:
        DataError: If the images are too large for a pixel model.
    """
    fitting = [channels for most, channels in RECOMMENDED.items() if size <= most]
    if not fitting:
        raise DataError(
            f"no U-Net is recommended for images of {size} pixels: load them smaller, name the channels, or take a "
            "model with a VAE (facebook/DiT-XL-2-256)."
        )
    return fitting[0]


@dataclass(frozen=True)
class Fit:
    """How to fit a denoiser.

    Arguments:
        model: `unet` (diffusers' UNet2DModel) or `dit` (DiTTransformer2DModel on pixels).
        channels: The U-Net's channels at each resolution, multiples of 8; each further one halves the resolution. By
            default those of `RECOMMENDED` for the images' size.
        layers: The U-Net's residual blocks at each resolution.
        attention: How many of the lowest resolutions of the U-Net have attention.
        width: The transformer's width.
        depth: The transformer's number of blocks.
        heads: The transformer's number of attention heads.
        patch: The transformer's patch size in pixels.
        prediction_type: What the network learns to predict: `epsilon`, the noise, or `v_prediction`.
        epochs: Passes over the training set.
        batch_size: Images in a step.
        lr: AdamW's peak learning rate; it rises over the first 5 % of the steps and falls to zero along a cosine.
        ema: The decay of the moving average of the weights, at most (1 + n) / (10 + n) after n steps; the average is
            saved.
        null_share: The share of labels that are replaced by the null class.
        flip: Whether images are mirrored at random.
        samples: The number of samples of each class that are drawn after the training, shown on a sheet and judged by a
            classifier; 0 for none.
        precision: `float32` or `bfloat16` (autocast).
        compiled: Whether the network is compiled.
        seed: Determines initial weights, order, timesteps and noise.
    """

    model: Literal["unet", "dit"] = "unet"
    channels: tuple[int, ...] = ()
    layers: int = 1
    attention: int = 0
    width: int = 128
    depth: int = 6
    heads: int = 4
    patch: int = 2
    prediction_type: PredictionType = "v_prediction"
    epochs: int = 400
    batch_size: int = 128
    lr: float = 2e-3
    ema: float = 0.999
    null_share: float = 0.1
    flip: bool = False
    samples: int = 20
    precision: Literal["float32", "bfloat16"] = "float32"
    compiled: bool = field(default=False, metadata={"identity": False})
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_least(self, 1, "epochs", "batch_size")
        check_least(self, 0, "attention", "samples", "seed")
        if any(width < 8 or width % 8 for width in self.channels):
            raise ValueError(f"expected channels in multiples of 8, one for each resolution, got {self.channels}.")
        check_least(self, 1, "width", "depth", "heads", "patch", "layers")
        if self.width % self.heads:
            raise ValueError(f"the width must be a multiple of the heads, got {self.width} and {self.heads}.")
        if not 0 <= self.ema < 1 or not 0 <= self.null_share < 1 or self.lr <= 0:
            raise ValueError(
                f"expected ema and null_share in [0, 1) and lr > 0, got {self.ema}, {self.null_share} and {self.lr}."
            )
