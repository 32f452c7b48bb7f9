"""Small models in the diffusers format, as a hub has them."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel


def save_dit(folder: Path, classes: int = 1000, seed: int = 0) -> Path:
    """A DiT of two blocks for images of 16 x 16 pixels with its VAE, saved by diffusers' own pipeline, with the card of
    a hub's repository.
    """
    torch.manual_seed(seed)
    transformer = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=4,
        patch_size=2, num_embeds_ada_norm=classes,
    )  # fmt: skip
    for block in transformer.transformer_blocks:  # which start at zero, so that nothing would depend on the class
        torch.nn.init.normal_(block.norm1.linear.weight, std=0.2)
    torch.nn.init.normal_(transformer.proj_out_1.weight, std=0.2)
    torch.nn.init.normal_(transformer.proj_out_2.weight, std=0.2)
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=4, norm_num_groups=4, sample_size=16,
        scaling_factor=0.18215,
    )  # fmt: skip
    DiTPipeline(transformer, vae, DDIMScheduler(clip_sample=False)).save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A small DiT\n")
    return folder
