"""Labelled images: splits with an identity, and the data sets by name."""

from .sets import DATASETS, load
from .split import DataError, Dataset, Split, check_split, from_arrays, scaled, stratified

__all__ = ["DATASETS", "DataError", "Dataset", "Split", "check_split", "from_arrays", "load", "scaled", "stratified"]
