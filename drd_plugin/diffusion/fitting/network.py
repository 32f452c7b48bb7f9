"""The untrained network of a denoiser."""

from __future__ import annotations

from typing import Any

from diffusers import DiTTransformer2DModel, UNet2DModel

from ...core.seeds import seeded
from ...data import DataError, Split
from .settings import Fit, recommended

__all__ = ["build_network"]


def build_network(fit: Fit, split: Split) -> Any:
    """The untrained network for this split; the fit's seed determines its weights.

    Raises:
        DataError: If the network does not take the split's images.
    """
    channels, size, width = split.shape
    widths = (fit.channels or recommended(size)) if fit.model == "unet" else ()
    smallest = 2 ** (len(widths) - 1) if fit.model == "unet" else fit.patch
    if size != width or size % smallest:
        raise DataError(
            f"{split.name} has images of {size} x {width} pixels: this {fit.model} takes square ones whose size "
            f"{smallest} divides."
        )
    plain = max(0, len(widths) - fit.attention)
    with seeded(fit.seed):
        if fit.model == "unet":
            return UNet2DModel(
                sample_size=size,
                in_channels=channels,
                out_channels=channels,
                block_out_channels=widths,
                down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * (len(widths) - plain),
                up_block_types=("AttnUpBlock2D",) * (len(widths) - plain) + ("UpBlock2D",) * plain,
                layers_per_block=fit.layers,
                norm_num_groups=8,
                add_attention=fit.attention > 0,
                num_class_embeds=split.num_classes + 1,
            )
        model: Any = DiTTransformer2DModel(
            num_attention_heads=fit.heads,
            attention_head_dim=fit.width // fit.heads,
            in_channels=channels,
            out_channels=channels,
            num_layers=fit.depth,
            sample_size=size,
            patch_size=fit.patch,
            num_embeds_ada_norm=split.num_classes,
        )
        for block in model.transformer_blocks:
            block.norm1.emb.class_embedder.dropout_prob = 0.0  # the training drops labels, once for the whole network
        return model
