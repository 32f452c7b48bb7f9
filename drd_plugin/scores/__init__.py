"""Scores: each orders the training examples by how hard, how atypical or how unlikely they are."""

from ..core.registry import Registry
from .aum import AUM
from .base import FoldScore, MapScore, Proxy, Score, Scorer
from .confidence import Confidence
from .drd import DRD
from .dual import DUAL
from .dyn_unc import DynUnc
from .el2n import EL2N
from .elbo import ELBO
from .forgetting import Forgetting
from .moderate import Moderate
from .tdds import TDDS
from .uniform import Uniform

__all__ = [
    "AUM",
    "DRD",
    "DUAL",
    "EL2N",
    "ELBO",
    "SCORES",
    "TDDS",
    "Confidence",
    "DynUnc",
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
    "score",
    "drd_plugin.scores",
    {c.__name__: c for c in (Uniform, Forgetting, EL2N, AUM, Moderate, DynUnc, TDDS, DUAL, Confidence, DRD, ELBO)},
)
