"""DiT-XL/2-256's architecture with random weights: what scoring and the choice of timesteps would cost on this device.

python benchmarks/speed/dit.py [--folder DIR] [--peak 989]

The weights decide no speed, so none are downloaded; the model is saved in the diffusers format (3 GB) and read back by
the code that reads the real one. The share of the peak counts 2 x 118.64 G multiply-adds for a forward pass.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import tyro
from diffusers import AutoencoderKL, DDIMScheduler, DiTTransformer2DModel
from tabulate import tabulate

from drd_plugin.core.device import resolve_device
from drd_plugin.core.provenance import processor, versions
from drd_plugin.data import from_arrays
from drd_plugin.diffusion import imagenet_wnids
from drd_plugin.scores import DRD
from drd_plugin.scoring import forecast

FLOP = 2 * 118.64e9
"""Of a forward pass of DiT-XL/2 for 256 pixels (Peebles and Xie, 2023, Table 4 counts multiply-adds)."""


def save(folder: Path) -> None:
    """Writes the model."""
    torch.manual_seed(0)
    transformer = DiTTransformer2DModel(
        num_attention_heads=16, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=28, sample_size=32,
        patch_size=2, num_embeds_ada_norm=1000,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4, sample_size=256,
    )  # fmt: skip
    transformer.save_pretrained(folder / "transformer")
    vae.save_pretrained(folder / "vae")
    DDIMScheduler(clip_sample=False).save_pretrained(folder / "scheduler")


def main(folder: Path | None = None, images: int = 9469, peak: float = 989.0, device: str = "auto") -> None:
    """Measures and prints.

    Arguments:
        folder: Where the model is, or is written to.
        images: The number of images to forecast for; ImageNette's training set by default.
        peak: The device's bfloat16 peak in TFLOP/s, without sparsity; an H100 SXM's by default.
        device: auto, or a torch device.
    """
    torch_device = resolve_device(device)
    folder = folder or Path(tempfile.mkdtemp())
    if not (folder / "scheduler").is_dir():
        save(folder)
    some = from_arrays("some", np.zeros((20, 3, 256, 256), np.uint8), np.arange(20) % 10)
    split = type(some)(some.name, some.images, some.labels, imagenet_wnids()[:10])
    precision = "bfloat16" if torch_device.type == "cuda" else "float32"
    score = DRD(denoiser=str(folder), distance="mse", precision=precision)  # type: ignore[arg-type]
    costs = forecast(split, score, torch_device)
    rows = [(name, value) for name, value in costs.rows() if name in ("denoiser", "memory")]
    first = costs.seconds_forward * 10 * 20 * 17 * 20 * 10 / 3600
    then = images * (costs.forwards_each * costs.seconds_forward + costs.seconds_other) / 3600
    rows += [
        ("exhaustive timesteps, 10 classes", f"{first:,.1f} h"),
        (f"scoring {images:,} images, 8 draws from step {costs.note.split()[1]}", f"{then:,.1f} h"),
        ("denoiser's share of the scoring time", f"{100 * costs.share:.0f} %"),
        ("TFLOP/s", f"{FLOP / costs.seconds_forward / 1e12:.2f}"),
    ]
    if torch_device.type == "cuda":
        rows.append(("share of the bfloat16 peak", f"{100 * FLOP / costs.seconds_forward / 1e12 / peak:.0f} %"))
    print(tabulate(rows, tablefmt="github"))
    print(f"\n{torch_device}, {processor()}, {precision}, {json.dumps(versions())}")


if __name__ == "__main__":
    tyro.cli(main)
