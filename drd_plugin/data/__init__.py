"""Labelled images and texts: splits with an identity, and the data sets by name."""

from .catalog import DATASETS, load
from .planted import Planted, plant, take
from .split import DataError, Dataset, Kind, Split, check_images, check_split, from_arrays, scaled, stratified
from .text import TextSplit, Vocabulary, from_texts

__all__ = [
    "DATASETS",
    "DataError",
    "Dataset",
    "Kind",
    "Planted",
    "Split",
    "TextSplit",
    "Vocabulary",
    "check_images",
    "check_split",
    "from_arrays",
    "from_texts",
    "load",
    "plant",
    "scaled",
    "stratified",
    "take",
]
