"""The dynamic methods by name; other packages add theirs in the entry-point group `drd_plugin.dynamic`."""

from __future__ import annotations

from ..core.names import read_name
from ..core.registry import Registry
from ..factors import Autoencoder
from ..factors.sources import check_source
from ..methods.published import configure, parse_score
from .base import Dynamic
from .epsilon_greedy import EpsilonGreedy
from .factor_curriculum import FactorCurriculum
from .infobatch import InfoBatch
from .random_dynamic import RandomDynamic
from .rcap import RCAP
from .rs2 import RS2
from .ucb import UCB

__all__ = ["DYNAMIC", "is_dynamic", "parse_dynamic"]

DYNAMIC: Registry[type[Dynamic]] = Registry(
    "dynamic method",
    "drd_plugin.dynamic",
    {kind.__name__: kind for kind in (RandomDynamic, RS2, InfoBatch, EpsilonGreedy, UCB, RCAP, FactorCurriculum)},
)


def is_dynamic(text: str) -> bool:
    """Whether a method's name, with or without settings, is that of a dynamic one."""
    return text.partition("[")[0].strip() in DYNAMIC


def parse_dynamic(text: str) -> Dynamic:
    """A dynamic method by name, with settings as in `UCB[c=2, every=5]` or
    `FactorCurriculum[autoencoder=Autoencoder[k=8]]`.

    Raises:
        UnknownName: If the name or a setting is not known.
        ValueError: If a setting has a value that it cannot have.
    """
    name, settings = read_name(text)
    if "autoencoder" in settings:
        settings["autoencoder"] = configure(Autoencoder(), read_name(str(settings["autoencoder"]))[1])
    method = configure(DYNAMIC[name](), settings)
    for score in method.needs_scores:
        parse_score(score)  # raises if it is unknown
    if method.feature_space:
        check_source(method.feature_space)
    return method
