"""Fitting a small class-conditional denoiser to a data set, saved in the diffusers format.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
    Classifier-Free Diffusion Guidance (Ho and Salimans, 2022), https://arxiv.org/abs/2207.12598: the null class.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..artifacts import write_aside
from ..data import DataError, check_split, scaled
from ..provenance import describe, environment
from ..registry import check_fields, check_least
from ..rng import generator, seeded

if TYPE_CHECKING:
    from ..data import Split

__all__ = ["Fit"]


@dataclass(frozen=True)
class Fit:
    """How to fit a denoiser.

    Arguments:
        model: `unet` (diffusers' UNet2DModel) or `dit` (DiTTransformer2DModel on pixels).
        channels: The U-Net's channels at each resolution, multiples of 8; each further one halves the resolution.
        width: The transformer's width.
        depth: The transformer's number of blocks.
        heads: The transformer's number of attention heads.
        patch: The transformer's patch size in pixels.
        epochs: Passes over the training set.
        batch_size: Images a step.
        lr: AdamW's peak learning rate; it rises over the first 5 % of the steps and falls to zero along a cosine.
        ema: The decay of the moving average of the weights, at most (1 + n) / (10 + n) after n steps; the average is
            what is saved.
        null_share: The share of labels that are replaced by the null class.
        precision: `float32` or `bfloat16` (autocast).
        seed: Decides initial weights, order, timesteps and noise.
    """

    model: Literal["unet", "dit"] = "unet"
    channels: tuple[int, ...] = (16, 32, 64)
    width: int = 128
    depth: int = 6
    heads: int = 4
    patch: int = 2
    epochs: int = 400
    batch_size: int = 128
    lr: float = 2e-3
    ema: float = 0.999
    null_share: float = 0.1
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_least(self, 1, "epochs", "batch_size")
        if not self.channels or any(width < 8 or width % 8 for width in self.channels):
            raise ValueError(f"expected channels in multiples of 8, one for each resolution, got {self.channels}.")
        check_least(self, 1, "width", "depth", "heads", "patch")
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
        smallest = 2 ** (len(self.channels) - 1) if self.model == "unet" else self.patch
        if size != width or size % smallest:
            raise DataError(
                f"{split.name} has images of {size} x {width} pixels: this {self.model} takes square ones whose size "
                f"{smallest} divides."
            )
        with seeded(self.seed):
            if self.model == "unet":
                return UNet2DModel(
                    sample_size=size,
                    in_channels=channels,
                    out_channels=channels,
                    block_out_channels=self.channels,
                    down_block_types=("DownBlock2D",) * len(self.channels),
                    up_block_types=("UpBlock2D",) * len(self.channels),
                    layers_per_block=1,
                    norm_num_groups=8,
                    add_attention=False,
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
        self, split: Split, out: Path, device: str = "auto", progress: bool = True, command: str = ""
    ) -> dict[str, Any]:
        """Fits the denoiser and writes it to a folder with its card.

        Arguments:
            split: The images to learn, scaled to [-1, 1].
            out: The folder to write `unet/` or `transformer/`, `scheduler/` and `card.json` to.
            device: `auto`, or a torch device.
            progress: Whether to show a progress bar.
            command: The command line that asked for it, for the card.

        Returns:
            The card: command and settings, the network's loss by tenth of the training and the averaged network's after
            it, the data set and the environment.

        Raises:
            FileExistsError: If the folder exists and is not empty.
            FloatingPointError: If the loss becomes NaN or infinite.
        """
        import torch
        import torch.nn.functional as F
        from diffusers import DDIMScheduler
        from diffusers.training_utils import EMAModel
        from tqdm.auto import tqdm

        from ..training.loader import resolve_device

        check_split(split)
        out = Path(out)
        if out.exists() and any(out.iterdir()):
            raise FileExistsError(f"{out} is not empty: give another folder, or remove this one.")
        on, start = resolve_device(device), time.perf_counter()
        made = environment(str(on))  # before the work: the code that runs is the one that is there now
        model = self.build(split).to(on).train()
        average = EMAModel(model.parameters(), decay=self.ema)
        scheduler: Any = DDIMScheduler(clip_sample=False, timestep_spacing="leading", steps_offset=0)
        a = scheduler.alphas_cumprod.to(on)
        images = split.images.to(on) if isinstance(split.images, torch.Tensor) else split.images
        labels = torch.from_numpy(split.labels).to(on)
        per_epoch = -(-len(split) // self.batch_size)
        steps = self.epochs * per_epoch
        optimizer = torch.optim.AdamW(model.parameters(), self.lr, weight_decay=0.01)
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
        chance = torch.Generator(on).manual_seed(self.seed)
        order = generator(self.seed, "order")
        losses: list[torch.Tensor] = []

        def loss_on(index: torch.Tensor) -> torch.Tensor:
            x_0 = scaled(images[index].to(on))
            t = torch.randint(0, len(a), (len(index),), generator=chance, device=on)
            noise = torch.randn(x_0.shape, generator=chance, device=on)
            x_t = a[t].sqrt()[:, None, None, None] * x_0 + (1 - a[t]).sqrt()[:, None, None, None] * noise
            dropped = torch.rand(len(index), generator=chance, device=on) < self.null_share
            label = labels[index.to(on)].masked_fill(dropped, split.num_classes)
            with torch.autocast(on.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
                predicted = model(x_t, timestep=t, class_labels=label, return_dict=False)[0]
            return F.mse_loss(predicted.float(), noise)

        with tqdm(total=steps, desc="fit", unit="step", disable=not progress, mininterval=1) as bar:
            for _ in range(self.epochs):
                for index in torch.from_numpy(order.permutation(len(split))).tensor_split(per_epoch):
                    loss = loss_on(index)
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    rate.step()
                    average.step(model.parameters())
                    losses.append(loss.detach())
                    bar.update()
        course = torch.stack(losses)
        if not course.isfinite().all():
            raise FloatingPointError(f"the fit diverged: lower lr, now {self.lr}.")
        average.copy_to(model.parameters())
        model.eval()
        with torch.no_grad():
            index = torch.from_numpy(order.permutation(len(split)))
            averaged = torch.stack([loss_on(part) for part in index.tensor_split(per_epoch)])
        card = {
            "command": command,
            "fit": describe(self),
            "dataset": split.name,
            "fingerprint": split.fingerprint,
            "classes": list(split.classes),
            "parameters": sum(p.numel() for p in model.parameters()),
            "loss": [round(float(part.mean()), 5) for part in course.tensor_split(min(10, len(course)))],
            "loss_of_average": round(float(averaged.mean()), 5),
            "seconds": round(time.perf_counter() - start, 1),
            "environment": made,
        }
        with write_aside(out) as aside:
            model.save_pretrained(aside / {"unet": "unet", "dit": "transformer"}[self.model], safe_serialization=True)
            scheduler.save_pretrained(aside / "scheduler")
            (aside / "card.json").write_text(json.dumps(card, indent=2) + "\n")
        return card


def _rate(step: int, steps: int) -> float:
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2
