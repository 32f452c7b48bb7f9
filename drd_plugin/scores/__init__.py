"""Scores: each orders the training examples by how hard, how atypical or how unlikely they are."""

from ..registry import Registry
from .aum import AUM
from .base import FoldScore, MapScore, Proxy, Score, Scorer
from .drd import DRD
from .el2n import EL2N
from .elbo import ELBO
from .forgetting import Forgetting
from .moderate import Moderate
from .uniform import Uniform

__all__ = [
    "AUM",
    "DRD",
    "EL2N",
    "ELBO",
    "SCORES",
    "FoldScore",
    "Forgetting",
    "MapScore",
    "Moderate",
    "Proxy",
    "Score",
    "Scorer",
    "Uniform",
]

SCORES: Registry[type[Score]] = Registry(
    "score", "drd_plugin.scores", {c.__name__: c for c in (Uniform, Forgetting, EL2N, AUM, Moderate, DRD, ELBO)}
)
