"""The factors of a data set: the units of a sparse autoencoder of its features, and what they say of each example.

    factors = factors_of(split, "proxy", Autoencoder(k=8), seed=0)
    core = standardised(factors.representativeness, split.labels)
    rare = standardised(factors.rarity, split.labels)

Nothing heavy is imported until factors are made or read.
"""

from .artifact import Factors
from .autoencoder import Autoencoder
from .codes import Codes
from .features import FeatureFile, FeatureSource, FeatureSpace, feature_space
from .making import factors_into, factors_of
from .sources import FEATURES, find_source
from .statistics import frequencies, rarity, representativeness, standardised

__all__ = [
    "FEATURES",
    "Autoencoder",
    "Codes",
    "Factors",
    "FeatureFile",
    "FeatureSource",
    "FeatureSpace",
    "factors_into",
    "factors_of",
    "feature_space",
    "find_source",
    "frequencies",
    "rarity",
    "representativeness",
    "standardised",
]
