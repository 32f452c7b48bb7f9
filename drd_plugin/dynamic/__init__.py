"""Dynamic selection: a subset that changes every epoch.

A method is a frozen dataclass (`RS2()`, `InfoBatch(ratio=0.5)`), and `DynamicSampler` makes of it a sampler for any
loop; `dynamic_sampler` computes what the method needs before.
"""

from .base import Choice, Dynamic, Examples, Now
from .epsilon_greedy import EpsilonGreedy
from .factor_curriculum import FactorCurriculum
from .fixed import Fixed
from .infobatch import InfoBatch
from .making import dynamic_sampler
from .names import DYNAMIC, parse_dynamic
from .plan import Plan
from .random_dynamic import RandomDynamic
from .rcap import RCAP
from .rs2 import RS2
from .sampler import DynamicSampler
from .ucb import UCB

__all__ = [
    "DYNAMIC",
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
    "dynamic_sampler",
    "parse_dynamic",
]
