"""Data and recipes of this library in DeepCore's form, and the context in which DeepCore's methods run."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torchvision.transforms import Normalize

from ..core.seeds import seeded
from ..data import Split, check_images
from ..selection.workbench import Networks
from ..training.nets import build
from .base import Args
from .datasets import SplitDataset
from .host import NetForDeepCore, deepcore

__all__ = ["arguments", "host_dataset", "isolated", "on_gpu"]


def host_dataset(split: Split) -> SplitDataset:
    """A split as a data set of torch's that normalises its images.

    Raises:
        DataError: If it holds no images.
    """
    check_images(split, "DeepCore")
    return SplitDataset(split, Normalize(*split.statistics))


def arguments(networks: Networks) -> Args:
    """DeepCore's arguments for a proxy's recipe; a network of this library is added to DeepCore's.

    Raises:
        ValueError: If DeepCore's methods do not have the recipe's optimiser.
    """
    recipe, split = networks.proxy, networks.split
    if recipe.optimizer == "adamw":
        raise ValueError("DeepCore's methods train proxies with SGD or Adam, got a proxy recipe with adamw.")
    device = networks.job.torch_device
    return Args(
        model=_model(recipe.net),
        selection_batch=recipe.batch_size,
        selection_epochs=recipe.epochs or 0,
        selection_optimizer={"sgd": "SGD", "adam": "Adam"}[recipe.optimizer],
        selection_lr=recipe.lr,
        selection_momentum=recipe.momentum,
        selection_weight_decay=recipe.weight_decay,
        selection_nesterov=recipe.nesterov and recipe.momentum > 0,
        lr=networks.recipe.lr,
        workers=0,
        device=device.type,
        gpu=[device.index or 0] if device.type == "cuda" else None,
        channel=split.shape[0],
        im_size=split.shape[1:],
        num_classes=split.num_classes,
    )


def _model(net: str) -> str:
    """The name under which DeepCore finds a network."""
    if net.startswith("deepcore:"):
        return net.removeprefix("deepcore:")
    name = f"drd_plugin:{net}"

    def make(channel: int, num_classes: int, im_size: tuple[int, int], pretrained: bool = False) -> NetForDeepCore:
        if pretrained:
            raise NotImplementedError(f"{net} has no pretrained weights.")
        return NetForDeepCore(build(net, channel, im_size[0], num_classes, seed=int(torch.randint(2**31, ()))))

    vars(deepcore("nets")).setdefault(name, make)
    return name


def on_gpu(args: Args) -> contextlib.AbstractContextManager[object]:
    """A context in which the GPU that the arguments name is the current one; afterwards the previous one is again."""
    return torch.cuda.device(args.gpu[0]) if args.gpu else contextlib.nullcontext()


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """A context that hides what DeepCore prints for every batch and what today's packages warn of in its code, and that
    restores the global generators of torch and NumPy, which DeepCore seeds.
    """
    before = np.random.get_state()  # noqa: NPY002
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), seeded(0):
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
