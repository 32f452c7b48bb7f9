"""Functions of other people's code, run where their checkout lies.

A script is not imported, since most of them parse arguments or train when they are; the functions that are named are
compiled from it, with the names that they need.
"""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

__all__ = ["CHECKOUTS", "borrowed", "folder"]

CHECKOUTS = {
    "Coverage-centric-coreset-selection": "https://github.com/haizhongzheng/Coverage-centric-coreset-selection",
    "BWS": "https://github.com/NohyunKi/BWS",
    "2023_ICLR_Moderate-DS": "https://github.com/tmllab/2023_ICLR_Moderate-DS",
    "example_forgetting": "https://github.com/mtoneva/example_forgetting",
    "DeepCore": "https://github.com/PatrickZH/DeepCore",
    "data_diet": "https://github.com/mansheej/data_diet",
    "d2pruning": "https://github.com/adymaharana/d2pruning",
    "Dataset-Pruning-TDDS": "https://github.com/zhangxin-xd/Dataset-Pruning-TDDS",
    "Dataset-Pruning": "https://github.com/BAAI-DCAI/Dataset-Pruning",
    "dual-pruning": "https://github.com/behaapyy/dual-pruning",
    "fair-data-pruning": "https://github.com/avysogorets/fair-data-pruning",
}
"""The repositories by the names of their clones."""


def folder(checkouts: Path, name: str) -> Path:
    """A clone.

    Raises:
        FileNotFoundError: If it is not among the checkouts.
    """
    path = checkouts / name
    if not path.is_dir():
        raise FileNotFoundError(f"no {path}: git clone {CHECKOUTS[name]}")
    return path


def borrowed(path: Path, *names: str, **extra: Any) -> SimpleNamespace:
    """Functions and classes of a script by name, `Class.method` for a method as a plain function.

    Arguments:
        path: The script.
        names: Their names.
        extra: What else their code refers to.
    """
    namespace = {"np": np, "torch": torch, "nn": nn, "F": functional, "LA": np.linalg, "Dict": dict, "List": list}
    namespace |= extra
    functions = SimpleNamespace()
    for name in names:
        body: list[Any] = ast.parse(path.read_text()).body
        for part in name.split("."):
            [node] = [one for one in body if getattr(one, "name", None) == part]
            body = node.body
        exec(compile(ast.Module([node], []), str(path), "exec"), namespace)
        setattr(functions, node.name, namespace[node.name])
    return functions
