"""The trained autoencoder: from features to sparse codes, and back. See `drd_plugin.factors.autoencoder`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..artifacts import ArtifactError
from ..artifacts.files import load_tensors, save_tensors
from ..core.device import resolve_device
from .arrays import Survey, chunks
from .codes import Codes

__all__ = ["Active", "SparseAutoencoder", "encode"]


class Active(NamedTuple):
    """The units that are active for each example of a batch, strongest first.

    Arguments:
        unit: Which, int64[B, k], distinct within a row.
        value: Their activations, float32[B, k], at least 0; 0 where fewer than k are active.
    """

    unit: Tensor
    value: Tensor


class SparseAutoencoder(nn.Module):
    """A TopK sparse autoencoder.

    Arguments:
        directions: The columns of W_dec, float32[m, d], each of unit norm, in rows; W_enc begins as the same.
        pre_bias: b_pre on the scale of the features, float32[d].
        scale: What features are divided by, positive.
        k: How many units may be active.
    """

    def __init__(self, directions: Tensor, pre_bias: Tensor, scale: float, k: int) -> None:
        super().__init__()
        self.encoder = nn.Parameter(directions.clone())
        self.decoder = nn.Parameter(directions.clone())
        self.latent_bias = nn.Parameter(torch.zeros(len(directions)))
        self.pre_bias = nn.Parameter(pre_bias / scale)
        self.scale, self.k = scale, k

    @property
    def units(self) -> int:
        """The number of units m."""
        return len(self.decoder)

    def before(self, x: Tensor) -> Tensor:
        """W_enc (x - b_pre) + b_enc, float32[B, m], of scaled features float32[B, d]."""
        return F.linear(x, self.encoder, self.latent_bias - self.encoder @ self.pre_bias)

    def top(self, before: Tensor, k: int | None = None) -> Active:
        """The k strongest of the units before TopK, float32[B, m]."""
        value, unit = before.topk(k or self.k, dim=1)
        return Active(unit, value.relu())

    def combined(self, active: Active) -> Tensor:
        """W_dec z, float32[B, d]."""
        return F.embedding_bag(active.unit, self.decoder, per_sample_weights=active.value, mode="sum")

    @torch.no_grad()
    def encode(self, features: Tensor) -> Active:
        """The active units of features float32[B, d]."""
        return self.top(self.before(features / self.scale))

    @torch.no_grad()
    def decode(self, active: Active) -> Tensor:
        """The features that active units stand for, float32[B, d]."""
        return (self.combined(active) + self.pre_bias) * self.scale

    def save(self, path: Path, mark: str = "") -> None:
        """Writes the weights as safetensors.

        Arguments:
            path: The file.
            mark: The digest that all files of one run carry.
        """
        header = {"kind": "autoencoder", "k": self.k, "scale": self.scale, "mark": mark}
        save_tensors(self.state_dict(), path, json.dumps(header))

    @classmethod
    def load(cls, path: Path) -> SparseAutoencoder:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: If the file is damaged, or holds something else.
        """
        tensors, header = load_tensors(path)
        content = json.loads(header or "{}")
        if content.get("kind") != "autoencoder":
            raise ArtifactError(
                f"{path} holds no autoencoder as `drd-plugin factors` writes it, but {sorted(tensors)}."
            )
        net = cls(tensors["decoder"], tensors["pre_bias"], content["scale"], content["k"])
        net.load_state_dict(tensors)
        return net.eval()


def encode(net: SparseAutoencoder, features: np.ndarray, survey: Survey, device: str = "auto") -> tuple[Codes, float]:
    """The codes of features, in one pass, block by block.

    Arguments:
        net: The trained autoencoder.
        features: Floating-point numbers [n, d], in memory or mapped.
        survey: Their moments; see `drd_plugin.factors.arrays.survey`.
        device: `auto`, or a torch device.

    Returns:
        The codes, and the explained variance: 1 less the squared error over the squared distance to the mean, summed
        over all examples; at most 1.
    """
    on_device, n, error = resolve_device(device), len(features), 0.0
    index, value, net = np.empty((n, net.k), np.int32), np.empty((n, net.k), np.float32), net.to(on_device)
    for start, rows in chunks(features, net.units):
        x = torch.from_numpy(np.ascontiguousarray(rows)).to(on_device)
        active = net.encode(x)
        index[start : start + len(rows)] = active.unit.int().cpu().numpy()
        value[start : start + len(rows)] = active.value.cpu().numpy()
        error += float((x - net.decode(active)).double().square().sum())
    net.cpu()
    return Codes(index, value, net.units), 1 - error / (survey.variance * n)
