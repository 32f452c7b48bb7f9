"""How an image becomes square."""

from __future__ import annotations

from PIL import Image, ImageOps

__all__ = ["CROPS", "adm_crop", "fit"]


def fit(image: Image.Image, size: int) -> Image.Image:
    """The image with its shorter side resized to `size` pixels with antialiasing, and the centre cropped."""
    return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)


def adm_crop(image: Image.Image, size: int) -> Image.Image:
    """The image prepared like the training images of ADM and DiT: halved by box filters while the shorter side is at
    least 2 x size, then resized by a bicubic filter, and the centre cropped.

    References:
        Diffusion Models Beat GANs on Image Synthesis (Dhariwal and Nichol, 2021), https://arxiv.org/abs/2105.05233,
        https://github.com/openai/guided-diffusion (`guided_diffusion/image_datasets.py`)
    """
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    x, y = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((x, y, x + size, y + size))


CROPS = {"fit": fit, "adm": adm_crop}
