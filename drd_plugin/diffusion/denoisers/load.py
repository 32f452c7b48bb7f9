"""Loading denoisers: models of diffusers that work on pixels or in a VAE's latents.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
    Scalable Diffusion Models with Transformers (Peebles and Xie, 2023), https://arxiv.org/abs/2212.09748
"""

from __future__ import annotations

import hashlib
import json
import logging
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from ...artifacts import read_json
from ...data import Split, check_images
from .base import Denoiser, DenoiserError, PredictionType, how_to_fit
from .classes import bridge
from .hub import licence_of, local_folder, part_of, read_config
from .latent import LatentDenoiser
from .pixel import PixelDenoiser

__all__ = [
    "bundled",
    "check_shape",
    "denoiser_folder",
    "find_denoiser",
    "image_shape",
    "load_denoiser",
    "weights_digest",
]

BUNDLED = Path(__file__).parents[1] / "bundled"

KINDS = {
    "UNet2DModel": "num_class_embeds",
    "DiTTransformer2DModel": "num_embeds_ada_norm",
    "Transformer2DModel": "num_embeds_ada_norm",
}
"""The networks that can be loaded (the last is an older name of DiT's), and the key of each one's number of classes."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

log = logging.getLogger(__name__)


def load_denoiser(
    folder: Path,
    device: torch.device,
    precision: Literal["float32", "bfloat16"] = "float32",
    compiled: bool = False,
) -> Denoiser:
    """The denoiser in a folder in the diffusers format: `unet/` or `transformer/`, `scheduler/`, and `vae/` if it works
    on latents. `drd-plugin fit` and `DiTPipeline.save_pretrained` write such folders.

    Only safetensors are read.

    Arguments:
        folder: The folder.
        device: The device of the denoiser.
        precision: The precision of the network; the VAE, and all other computation, is in float32.
        compiled: Whether to compile the network (a transformer's blocks), which pays off for many forward passes.

    Raises:
        DenoiserError: If the folder is not such a model.
    """
    import diffusers

    folder = Path(folder)
    part = part_of(folder)
    config = read_config(folder, part)
    kind = config.get("_class_name")
    if kind not in KINDS:
        raise DenoiserError(f"{folder / part} is a {kind}: expected a class-conditional {' or '.join(KINDS)}.")
    embeddings = config.get(KINDS[kind])
    if not embeddings:
        raise DenoiserError(
            f"{folder / part} is not class-conditional ({KINDS[kind]} is {embeddings}); fit one with `drd-plugin fit`."
        )
    image_shape(folder)  # raises if the configurations lack it
    try:
        model = _read(getattr(diffusers, kind), folder, part, PRECISIONS[precision])
        vae = _read(diffusers.AutoencoderKL, folder, "vae") if (folder / "vae").is_dir() else None
        scheduler = diffusers.DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
        card = read_json(folder / "card.json", "put back a copy of it") if (folder / "card.json").is_file() else {}
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DenoiserError(f"the model in {folder} cannot be read ({error}): copy or fit it again.") from error
    predicted = scheduler.config.prediction_type
    if predicted not in get_args(PredictionType):
        raise DenoiserError(f"{folder} predicts {predicted}: expected {' or '.join(get_args(PredictionType))}.")
    num_classes = embeddings if kind == "DiTTransformer2DModel" else len(card.get("classes", range(embeddings)))
    licence = "that of the data it was fitted to" if "fit" in card else licence_of(folder)
    card = {"licence": licence, "precision": precision, "compiled": compiled} | card
    model = model.to(device, memory_format=torch.channels_last)
    if compiled:
        for block in getattr(model, "transformer_blocks", [model]):  # alike, so that one compilation serves them all
            block.compile()
    if vae is None:
        return PixelDenoiser(model, scheduler.alphas_cumprod, num_classes, card, predicted)
    return LatentDenoiser(model, vae.to(device), scheduler.alphas_cumprod, num_classes, card, predicted)


def _read(kind: Any, folder: Path, part: str, dtype: torch.dtype = torch.float32) -> Any:
    return kind.from_pretrained(
        folder,
        subfolder=part,
        torch_dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
    )


def find_denoiser(
    name: str,
    split: Split,
    device: torch.device,
    labels: str = "auto",
    unmapped: str = "refuse",
    precision: Literal["float32", "bfloat16"] = "float32",
    compiled: bool = False,
) -> Denoiser:
    """The denoiser with this name, for the images and with the classes of a data set.

    Arguments:
        name: A hub name, a folder, or `auto` for the bundled denoiser that was fitted to this data set.
        split: The training split.
        device: The device of the denoiser.
        labels: See `drd_plugin.diffusion.denoisers.classes.class_ids`.
        unmapped: See `drd_plugin.diffusion.denoisers.classes.class_ids`.
        precision: See `load_denoiser`.
        compiled: See `load_denoiser`.

    Raises:
        DenoiserError: If there is none, or it does not fit the data set.
    """
    folder = denoiser_folder(name, split)
    denoiser = load_denoiser(folder, device, precision, compiled)
    check_shape(denoiser, split)
    if "fit" not in denoiser.card:
        _log_licence(name, str(denoiser.card["licence"]))
    return bridge(denoiser, split, labels, unmapped)


@cache
def _log_licence(name: str, licence: str) -> None:
    """Logs the licence of a model from elsewhere, once for each model."""
    log.info("%s: licence %s", name, licence)


def denoiser_folder(name: str, split: Split) -> Path:
    """The folder of the denoiser with this name; see `find_denoiser`.

    Raises:
        DataError: If the split holds no images.
        DenoiserError: If there is none.
    """
    check_images(split, "a diffusion model")
    if name != "auto":
        return local_folder(name)
    folder = bundled(split.made_from or split.fingerprint)
    if folder is None:
        raise DenoiserError(
            f"no denoiser is bundled for {split.fingerprint}: fit one ({how_to_fit(split)}) and give its "
            "folder as the score's denoiser."
        )
    return folder


def image_shape(folder: Path) -> tuple[int, int, int]:
    """(C, H, W) of the images that the denoiser in a folder takes, from its configurations.

    Raises:
        DenoiserError: If the folder holds no denoiser, or a configuration is damaged or lacks the shape.
    """
    config = read_config(folder, part_of(folder), "in_channels", "sample_size")
    channels, size = config["in_channels"], config["sample_size"]
    if (folder / "vae").is_dir():
        vae = read_config(folder, "vae", "in_channels", "block_out_channels")
        channels, size = vae["in_channels"], size * 2 ** (len(vae["block_out_channels"]) - 1)
    return channels, size, size


def weights_digest(folder: Path, part: str = "*") -> str:
    """A digest of all that determines a denoiser's predictions (weights, configurations and schedule), or of one part's
    weights and configuration.
    """
    sha = hashlib.sha256()
    for path in sorted([*folder.glob(f"{part}/*.json"), *folder.glob(f"{part}/*.safetensors")]):
        with path.open("rb") as file:
            sha.update(f"{path.relative_to(folder)}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return sha.hexdigest()[:16]


def bundled(fingerprint: str) -> Path | None:
    """The folder of this package's denoiser for the data set with this fingerprint, or None."""
    for card in sorted(BUNDLED.glob("*/card.json")):
        if json.loads(card.read_text())["fingerprint"] == fingerprint:
            return card.parent
    return None


def check_shape(denoiser: Denoiser, split: Split) -> None:
    """Raises DenoiserError unless the denoiser takes the split's images."""
    channels, size, _ = denoiser.image_shape
    if tuple(denoiser.image_shape) != split.shape:
        remedy = f"turn them into images of {channels} channels and {size} x {size} pixels"
        if channels == split.shape[0] and not split.in_memory:
            remedy = f"load the data with size={size}"
        raise DenoiserError(
            f"the denoiser takes images {tuple(denoiser.image_shape)}, but {split.name} has {split.shape} (channels, "
            f"height, width): {remedy}, or fit a denoiser for them ({how_to_fit(split)})."
        )
