"""The `Denoiser` protocol, and the adapter for pixel-space diffusers models.

A denoiser predicts the noise in x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps, given t and a class, where a_t is
`alphas_cumprod[t]`.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
    Scalable Diffusion Models with Transformers (Peebles and Xie, 2023), https://arxiv.org/abs/2212.09748
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..data import DATASETS, Split

__all__ = [
    "Denoiser",
    "DenoiserError",
    "PixelDenoiser",
    "bundled",
    "check_fits",
    "denoiser_folder",
    "find_denoiser",
    "how_to_fit",
    "image_shape",
    "load_denoiser",
    "weights_digest",
]

BUNDLED = Path(__file__).parent.parent / "denoisers"


class DenoiserError(ValueError):
    """A folder that holds no denoiser, or a denoiser that does not fit the data."""


class Denoiser(Protocol):
    """Anything that predicts noise; nothing else in the package knows where it came from."""

    @property
    def alphas_cumprod(self) -> Tensor:
        """The signal's share a_t of the variance at each timestep, float64[T] on the CPU, falling."""

    @property
    def num_classes(self) -> int:
        """The number of classes it can be asked for."""

    @property
    def null_class(self) -> int | None:
        """The label that stands for no class, or None."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it takes."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Where it came from, ready for JSON."""

    def encode(self, images: Tensor) -> Tensor:
        """Images float32[B, C, H, W] in [-1, 1] to latents [B, *latent_shape]."""

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, *latent_shape] to images float32[B, C, H, W], about [-1, 1]."""

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise in x_t [B, *latent_shape] at the timesteps t int64[B] for the classes labels int64[B]; same shape
        as x_t.
        """


class PixelDenoiser:
    """A `UNet2DModel` or `DiTTransformer2DModel` of diffusers that works on pixels.

    Arguments:
        model: The network, float32; it is put in `eval` mode.
        alphas_cumprod: a_t, float64[T].
        num_classes: The number of classes; the label `num_classes` is the null class.
        card: Where it came from.
    """

    def __init__(
        self, model: nn.Module, alphas_cumprod: Tensor, num_classes: int, card: Mapping[str, Any] | None = None
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.alphas_cumprod = alphas_cumprod.double().cpu()
        self.num_classes, self.null_class = num_classes, num_classes
        config: Any = model.config
        self.image_shape = (config.in_channels, config.sample_size, config.sample_size)
        self.latent_shape = self.image_shape
        self.card = card or {}

    def encode(self, images: Tensor) -> Tensor:
        """The images themselves."""
        return images

    def decode(self, latents: Tensor) -> Tensor:
        """The latents themselves."""
        return latents

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """See `Denoiser`; a learned variance, if the network has one, is left out."""
        output = self.model(x_t, timestep=t, class_labels=labels, return_dict=False)[0]
        return output[:, : x_t.shape[1]]


def load_denoiser(folder: Path, device: torch.device) -> Denoiser:
    """A denoiser from a folder in the diffusers format, as `drd-plugin fit` writes it: `unet/` or `transformer/`, and
    `scheduler/`.

    Only safetensors are read.

    Raises:
        DenoiserError: If the folder is not such a model.
    """
    import diffusers

    folder = Path(folder)
    part = _part(folder)
    config = json.loads((folder / part / "config.json").read_text())
    kinds = {"UNet2DModel": "num_class_embeds", "DiTTransformer2DModel": "num_embeds_ada_norm"}
    kind = config.get("_class_name")
    if kind not in kinds:
        raise DenoiserError(f"{folder / part} is a {kind}: expected a class-conditional {' or '.join(kinds)}.")
    try:
        model = getattr(diffusers, kind).from_pretrained(
            folder, subfolder=part, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
        )
        scheduler = diffusers.DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
        card = json.loads((folder / "card.json").read_text()) if (folder / "card.json").is_file() else {}
    except (OSError, ValueError, KeyError) as error:
        raise DenoiserError(f"the model in {folder} cannot be read ({error}): copy or fit it again.") from error
    embeddings = config.get(kinds[kind])
    if not embeddings:
        raise DenoiserError(
            f"{folder / part} is not class-conditional ({kinds[kind]} is {embeddings}); fit one with `drd-plugin fit`."
        )
    if scheduler.config.prediction_type != "epsilon":
        raise DenoiserError(
            f"{folder} predicts {scheduler.config.prediction_type}: expected a model that predicts epsilon."
        )
    num_classes = embeddings - 1 if kind == "UNet2DModel" else embeddings
    return PixelDenoiser(
        model.to(device, memory_format=torch.channels_last),
        scheduler.alphas_cumprod,
        num_classes,
        {"folder": folder.name} | card,
    )


def find_denoiser(name: str, split: Split, device: torch.device) -> Denoiser:
    """The denoiser that a score asks for, checked against the data set.

    Arguments:
        name: A folder, or `auto` for the bundled denoiser that was fitted to this very data set.
        split: The training split.
        device: Where to put it.

    Raises:
        DenoiserError: If there is none, or it does not fit.
    """
    denoiser = load_denoiser(denoiser_folder(name, split), device)
    check_fits(denoiser, split)
    return denoiser


def denoiser_folder(name: str, split: Split) -> Path:
    """The folder that `find_denoiser` reads.

    Raises:
        DenoiserError: If there is none.
    """
    if name != "auto":
        _part(Path(name))
        return Path(name)
    folder = bundled(split.fingerprint)
    if folder is None:
        raise DenoiserError(
            f"no denoiser is bundled for {split.fingerprint}: fit one ({how_to_fit(split)}) and give its "
            "folder as the score's denoiser."
        )
    return folder


def image_shape(folder: Path) -> tuple[int, int, int]:
    """(C, H, W) of the images that the denoiser in a folder takes, as its configuration says.

    Raises:
        DenoiserError: If there is none.
    """
    config = json.loads((folder / _part(folder) / "config.json").read_text())
    return config["in_channels"], config["sample_size"], config["sample_size"]


def weights_digest(folder: Path) -> str:
    """A digest of what decides a denoiser's predictions: its weights, configurations and schedule."""
    sha = hashlib.sha256()
    for path in sorted([*folder.glob("*/*.json"), *folder.glob("*/*.safetensors")]):
        with path.open("rb") as file:
            sha.update(f"{path.relative_to(folder)}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return sha.hexdigest()[:16]


def _part(folder: Path) -> str:
    """Which of `unet` and `transformer` the folder holds."""
    part = next((part for part in ("unet", "transformer") if (folder / part / "config.json").is_file()), None)
    if part is None:
        raise DenoiserError(
            f"{folder} holds no denoiser: expected unet/ or transformer/ in the diffusers format; `drd-plugin fit` "
            "writes such a folder."
        )
    return part


def bundled(fingerprint: str) -> Path | None:
    """The folder of the denoiser in this package that was fitted to the data set with this fingerprint, if there is
    one.
    """
    for card in sorted(BUNDLED.glob("*/card.json")):
        if json.loads(card.read_text())["fingerprint"] == fingerprint:
            return card.parent
    return None


def check_fits(denoiser: Denoiser, split: Split) -> None:
    """Raises DenoiserError unless the denoiser takes the split's images and knows its classes."""
    if tuple(denoiser.image_shape) != split.shape:
        raise DenoiserError(
            f"the denoiser takes images {tuple(denoiser.image_shape)}, but {split.name} has {split.shape} (channels, "
            f"height, width): load the data with size={denoiser.image_shape[1]}, or fit a denoiser for them "
            f"({how_to_fit(split)})."
        )
    if denoiser.num_classes != split.num_classes:
        raise DenoiserError(
            f"the denoiser knows {denoiser.num_classes} classes, but {split.name} has {split.num_classes}: "
            f"fit one for these classes ({how_to_fit(split)})."
        )
    known = tuple(denoiser.card.get("classes", split.classes))
    if known != split.classes:
        raise DenoiserError(
            f"the denoiser was fitted to the classes {', '.join(known[:5])}, ..., but {split.name} has "
            f"{', '.join(split.classes[:5])}, ...: fit one for these classes ({how_to_fit(split)})."
        )


def how_to_fit(split: Split) -> str:
    """What makes a denoiser for a split."""
    if split.name in DATASETS or ":" in split.name:
        return f"drd-plugin fit --dataset {split.name} --out DIR"
    return "drd_plugin.Fit()(split, 'DIR') in Python; inside DeepCore, split = drd_plugin.deepcore.split_of(dst_train)"
