"""Dynamic selection: a subset that changes every epoch."""

from .base import Choice, Dynamic, Examples, Now
from .epsilon_greedy import EpsilonGreedy
from .factor_curriculum import FactorCurriculum
from .fixed import Fixed
from .infobatch import InfoBatch
from .plan import Plan
from .random_dynamic import RandomDynamic
from .rcap import RCAP
from .rs2 import RS2
from .sampler import DynamicSampler
from .ucb import UCB

__all__ = [
    "RCAP",
    "RS2",
    "UCB",
    "Choice",
    "Dynamic",
    "DynamicSampler",
    "EpsilonGreedy",
    "Examples",
    "FactorCurriculum",
    "Fixed",
    "InfoBatch",
    "Now",
    "Plan",
    "RandomDynamic",
]
