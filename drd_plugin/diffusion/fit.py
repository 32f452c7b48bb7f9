"""Fitting a class-conditional denoiser to a data set, saved in the diffusers format with a card of how good it is.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
    Classifier-Free Diffusion Guidance (Ho and Salimans, 2022), https://arxiv.org/abs/2207.12598: the null class.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..artifacts import write_aside
from ..data import DataError, check_images, check_split
from ..provenance import describe, environment
from ..registry import check_fields, check_least
from ..rng import seeded
from .hub import PredictionType

if TYPE_CHECKING:
    from ..data import Split

__all__ = ["Fit", "recommended"]

RECOMMENDED = {8: (16, 32, 64), 32: (32, 64, 128), 64: (64, 128, 256), 256: (64, 128, 256, 256)}
"""The U-Net's channels for images of at most so many pixels."""


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
        channels: The U-Net's channels at each resolution, multiples of 8; each further one halves the resolution. Those
            of `RECOMMENDED` for the images' size by default.
        layers: The U-Net's residual blocks at each resolution.
        attention: How many of the lowest resolutions of the U-Net have attention.
        width: The transformer's width.
        depth: The transformer's number of blocks.
        heads: The transformer's number of attention heads.
        patch: The transformer's patch size in pixels.
        prediction_type: What the network learns to predict: `epsilon`, the noise, or `v_prediction`.
        epochs: Passes over the training set.
        batch_size: Images a step.
        lr: AdamW's peak learning rate; it rises over the first 5 % of the steps and falls to zero along a cosine.
        ema: The decay of the moving average of the weights, at most (1 + n) / (10 + n) after n steps; the average is
            what is saved.
        null_share: The share of labels that are replaced by the null class.
        flip: Whether images are mirrored at random.
        samples: Samples of each class that are drawn, shown on a sheet and judged by a classifier afterwards; 0 for
            none.
        precision: `float32` or `bfloat16` (autocast).
        compiled: Whether the network is compiled.
        seed: Decides initial weights, order, timesteps and noise.
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
        check_least(self, 0, "attention", "samples")
        if any(width < 8 or width % 8 for width in self.channels):
            raise ValueError(f"expected channels in multiples of 8, one for each resolution, got {self.channels}.")
        check_least(self, 1, "width", "depth", "heads", "patch", "layers")
        if self.width % self.heads:
            raise ValueError(f"the width must be a multiple of the heads, got {self.width} and {self.heads}.")
        if not 0 <= self.ema < 1 or not 0 <= self.null_share < 1 or self.lr <= 0:
            raise ValueError(
                f"expected ema and null_share in [0, 1) and lr > 0, got {self.ema}, {self.null_share} and {self.lr}."
            )

    def build(self, split: Split) -> Any:
        """The untrained network for this split, with initial weights decided by the seed."""
        from diffusers import DiTTransformer2DModel, UNet2DModel

        channels, size, width = split.shape
        widths = (self.channels or recommended(size)) if self.model == "unet" else ()
        smallest = 2 ** (len(widths) - 1) if self.model == "unet" else self.patch
        if size != width or size % smallest:
            raise DataError(
                f"{split.name} has images of {size} x {width} pixels: this {self.model} takes square ones whose size "
                f"{smallest} divides."
            )
        plain = max(0, len(widths) - self.attention)
        with seeded(self.seed):
            if self.model == "unet":
                return UNet2DModel(
                    sample_size=size,
                    in_channels=channels,
                    out_channels=channels,
                    block_out_channels=widths,
                    down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * (len(widths) - plain),
                    up_block_types=("AttnUpBlock2D",) * (len(widths) - plain) + ("UpBlock2D",) * plain,
                    layers_per_block=self.layers,
                    norm_num_groups=8,
                    add_attention=self.attention > 0,
                    num_class_embeds=split.num_classes + 1,
                )
            model: Any = DiTTransformer2DModel(
                num_attention_heads=self.heads,
                attention_head_dim=self.width // self.heads,
                in_channels=channels,
                out_channels=channels,
                num_layers=self.depth,
                sample_size=size,
                patch_size=self.patch,
                num_embeds_ada_norm=split.num_classes,
            )
            for block in model.transformer_blocks:
                block.norm1.emb.class_embedder.dropout_prob = (
                    0.0  # labels are dropped once for the whole network, below
                )
            return model

    def __call__(
        self,
        split: Split,
        out: Path,
        device: str = "auto",
        progress: bool = True,
        command: str = "",
        test: Split | None = None,
    ) -> dict[str, Any]:
        """Fits the denoiser and writes it to a folder with its card, its loss curve and a sheet of samples. A fit that
        was killed goes on from its last checkpoint.

        Arguments:
            split: The images to learn, scaled to [-1, 1].
            out: The folder to write `unet/` or `transformer/`, `scheduler/`, `card.json`, `loss.png` and `samples.png`
                to.
            device: `auto`, or a torch device.
            progress: Whether to show a progress bar.
            command: The command line that asked for it, for the card.
            test: On which the accuracy of the classifier that judges the samples is taken.

        Returns:
            The card: command and settings, the network's loss by tenth of the training and the averaged network's after
            it, images per second, the share of samples that a classifier recognises, the data set and the environment.

        Raises:
            ArtifactError: If the folder holds the checkpoint of another fit.
            DataError: If the split holds no images, or some that the network does not take.
            FileExistsError: If the folder exists and holds anything else.
            FloatingPointError: If the loss becomes NaN or infinite.
        """
        from diffusers import DDIMScheduler

        from ..training.loader import resolve_device
        from .fit_plots import draw_loss, draw_samples
        from .judging import judge
        from .pixel import PixelDenoiser
        from .training import Training

        check_split(split)
        check_images(split, "a denoiser")
        out, on, start = Path(out), resolve_device(device), time.perf_counter()
        if out.exists() and any(path.name != "checkpoint" for path in out.iterdir()):
            what = "holds a finished fit" if (out / "card.json").exists() else "is not empty"
            raise FileExistsError(f"{out} {what}: give another folder, or remove this one.")
        made = environment(str(on))  # before the work: the code that runs is the one that is there now
        scheduler: Any = DDIMScheduler(
            clip_sample=False, timestep_spacing="leading", steps_offset=0, prediction_type=self.prediction_type
        )
        training = Training(self, split, scheduler.alphas_cumprod.to(on), on, out / "checkpoint")
        training.run(progress)
        model, course = training.averaged(), training.course()
        denoiser = PixelDenoiser(model, scheduler.alphas_cumprod, split.num_classes, None, self.prediction_type)
        judged = judge(denoiser, split, test, self.samples, self.seed, on) if self.samples else None
        card = {
            "command": command,
            "fit": describe(self),
            "dataset": split.name,
            "fingerprint": split.fingerprint,
            "classes": list(split.classes),
            "network": describe({key: value for key, value in model.config.items() if not key.startswith("_")}),
            "parameters": sum(p.numel() for p in model.parameters()),
            "loss": [round(float(part.mean()), 5) for part in course.tensor_split(min(10, len(course)))],
            "loss_of_average": round(training.loss_of_average(), 5),
            "images_per_second": round(training.images_per_second()),
            **({} if judged is None else judged.card),
            "seconds": round(time.perf_counter() - start, 1),
            "environment": made,
        }
        with write_aside(out) as aside:
            model.save_pretrained(aside / {"unet": "unet", "dit": "transformer"}[self.model], safe_serialization=True)
            scheduler.save_pretrained(aside / "scheduler")
            (aside / "card.json").write_text(json.dumps(card, indent=2) + "\n")
            draw_loss(course, aside / "loss.png")
            if judged is not None:
                draw_samples(judged, split.classes, aside / "samples.png")
            shutil.rmtree(out, ignore_errors=True)  # the checkpoint, no longer needed
        return card
