"""Labelled images: splits with an identity, and the data sets by name."""

from .planted import Planted, plant, take
from .sets import DATASETS, load
from .split import DataError, Dataset, Split, check_split, from_arrays, scaled, stratified

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "Planted",
    "Split",
    "check_split",
    "from_arrays",
    "load",
    "plant",
    "scaled",
    "stratified",
    "take",
]
