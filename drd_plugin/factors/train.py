"""The training of a sparse autoencoder. See `drd_plugin.factors.autoencoder`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from ..core.device import resolve_device
from ..core.seeds import generator
from .arrays import Survey, survey
from .autoencoder import Autoencoder
from .network import SparseAutoencoder

__all__ = ["auxiliary_loss", "train_autoencoder"]

DECAY = 0.2
"""The share of the steps, the last ones, in which the learning rate falls to zero."""


def train_autoencoder(
    features: np.ndarray,
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    moments: Survey | None = None,
    *,
    device: str = "auto",
    progress: bool = False,
) -> SparseAutoencoder:
    """Trains a sparse autoencoder. The same seed gives the same weights on the same machine with as many threads,
    whether the features are in memory or mapped from a file.

    Arguments:
        features: Floating-point numbers [n, d], of which a batch is read at a time.
        autoencoder: The settings.
        seed: Determines the initial directions and the order of the examples.
        moments: The survey of the features, if it was made before.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.

    Raises:
        ArtifactError: If a value is NaN or infinite, or all rows are the same.
        FloatingPointError: If the training diverges.
    """
    settings, on_device = autoencoder.settled(*features.shape), resolve_device(device)
    net = _initial(settings, moments or survey(features), seed).to(on_device)
    rate, steps = settings.lr or 0.0, settings.steps or 0
    optimizer = torch.optim.Adam(net.parameters(), rate, eps=6.25e-10)
    silent = torch.zeros(net.units, dtype=torch.int64, device=on_device)
    batches = _batches(features, settings, seed)
    for step, rows in enumerate(tqdm(batches, "autoencoder", steps, leave=False, disable=not progress, mininterval=1)):
        loss = _loss(net, torch.from_numpy(rows).to(on_device) / net.scale, silent, settings)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        _keep_tangential(net.decoder)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (steps - step) / (DECAY * steps))
        optimizer.step()
        with torch.no_grad():
            net.decoder.copy_(F.normalize(net.decoder, dim=1))
    if not all(parameter.isfinite().all() for parameter in net.parameters()):
        raise FloatingPointError(f"the autoencoder diverged: lower lr, now {rate:g}.")
    return net.cpu().eval()


def _loss(net: SparseAutoencoder, x: Tensor, silent: Tensor, settings: Autoencoder) -> Tensor:
    """The loss of a batch of scaled features, float32[B, d].

    Arguments:
        net: The autoencoder.
        x: The batch.
        silent: For how many examples each unit was not active, int64[m]; updated in place.
        settings: The autoencoder's settings, without None.
    """
    before = net.before(x)
    active = net.top(before)
    rest = x - net.pre_bias - net.combined(active)
    silent += len(x)
    silent[active.unit[active.value > 0]] = 0
    dead, loss = silent >= (settings.dead_after or 0), rest.square().mean()
    if settings.aux_weight and dead.any():
        loss = loss + settings.aux_weight * auxiliary_loss(net, before, rest.detach(), dead, settings.aux_k or 1)
    return loss


def _initial(settings: Autoencoder, moments: Survey, seed: int) -> SparseAutoencoder:
    """An untrained autoencoder with random directions, which scales features so that their variances add up to d."""
    noise = generator(seed, "autoencoder").standard_normal((settings.units or 0, len(moments.mean)), np.float32)
    scale = float(np.sqrt(moments.variance / len(moments.mean)))
    directions = F.normalize(torch.from_numpy(noise), dim=1)
    return SparseAutoencoder(directions, torch.from_numpy(moments.mean.astype(np.float32)), scale, settings.k or 0)


def _batches(features: np.ndarray, settings: Autoencoder, seed: int) -> Iterator[np.ndarray]:
    """`steps` batches of equal size, float32[B, d]; each pass is a fresh permutation, whose last examples, too few for
    a batch, are left out. Rows are read in ascending order, which is faster on disks.
    """
    order, per_pass = generator(seed, "autoencoder's order"), len(features) // settings.batch_size
    for step in range(settings.steps or 0):
        if step % per_pass == 0:
            permuted = order.permutation(len(features))
        place = step % per_pass * settings.batch_size
        yield np.asarray(features[np.sort(permuted[place : place + settings.batch_size])], np.float32)


def auxiliary_loss(net: SparseAutoencoder, before: Tensor, rest: Tensor, dead: Tensor, aux_k: int) -> Tensor:
    """The squared error with which the strongest dead units reconstruct the residuals, as a share of the residuals'
    variance over the batch; 0 where that is 0.

    Arguments:
        net: The autoencoder.
        before: The units before TopK, float32[B, m].
        rest: The residuals, float32[B, d].
        dead: Which units are dead, bool[m], at least one.
        aux_k: How many of them are used, at most.
    """
    active = net.top(before.masked_fill(~dead, -torch.inf), min(aux_k, int(dead.sum())))
    error, variance = (rest - net.combined(active)).square().mean(), (rest - rest.mean(0)).square().mean()
    return error / variance if variance > 0 else torch.zeros_like(variance)


@torch.no_grad()
def _keep_tangential(decoder: Tensor) -> None:
    """Removes the part of the gradient that is parallel to each direction, float32[m, d], in place."""
    assert decoder.grad is not None
    decoder.grad -= (decoder.grad * decoder).sum(1, keepdim=True) * decoder
