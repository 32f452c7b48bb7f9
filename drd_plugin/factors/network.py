"""The trained autoencoder: from features to sparse codes, and back. See `drd_plugin.factors.autoencoder`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..artifacts import ArtifactError
from ..artifacts.files import load_tensors, save_tensors

__all__ = ["Active", "SparseAutoencoder"]


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
        pre_bias: b_pre in the features' own units, float32[d].
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
        """m."""
        return len(self.decoder)

    def before(self, x: Tensor) -> Tensor:
        """W_enc (x - b_pre) + b_enc, float32[B, m], of scaled features float32[B, d]."""
        return F.linear(x, self.encoder, self.latent_bias - self.encoder @ self.pre_bias)

    def top(self, before: Tensor, k: int | None = None) -> Active:
        """The k strongest units, of those before TopK, float32[B, m]."""
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
            mark: What the files of one run have in common.
        """
        said = {"kind": "autoencoder", "k": self.k, "scale": self.scale, "mark": mark}
        save_tensors(self.state_dict(), path, json.dumps(said))

    @classmethod
    def load(cls, path: Path) -> SparseAutoencoder:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: If the file is damaged, or holds something else.
        """
        tensors, header = load_tensors(path)
        said = json.loads(header or "{}")
        if said.get("kind") != "autoencoder":
            raise ArtifactError(
                f"{path} holds no autoencoder as `drd-plugin factors` writes it, but {sorted(tensors)}."
            )
        made = cls(tensors["decoder"], tensors["pre_bias"], said["scale"], said["k"])
        made.load_state_dict(tensors)
        return made.eval()
