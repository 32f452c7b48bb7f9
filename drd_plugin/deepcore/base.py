"""Stand-ins for DeepCore's arguments and its base class of methods, for scripts and tests without a checkout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.registry import check_fraction

__all__ = ["Args", "CoresetMethod"]


@dataclass
class Args:
    """The fields of DeepCore's parsed arguments that methods read, with its defaults.

    Arguments:
        model: The proxy network's name.
        selection_batch: Examples a step of the proxy.
        selection_epochs: The proxy's epochs.
        selection_optimizer: `SGD`, `Adam` or `AdamW`.
        selection_lr: The proxy's constant learning rate.
        selection_momentum: SGD's momentum.
        selection_weight_decay: The weight decay of all parameters.
        selection_nesterov: Whether the momentum is Nesterov's.
        selection_test_interval: Not used here; DeepCore tests every so many epochs.
        selection_test_fraction: Not used here.
        epochs: The epochs of the training on a subset, by which candidates are judged too.
        train_batch: Examples a step of that training.
        optimizer: Its optimiser: `SGD`, `Adam` or `AdamW`.
        lr: Its learning rate.
        min_lr: Where its cosine ends.
        momentum: SGD's momentum in it.
        weight_decay: Its weight decay of all parameters.
        nesterov: Whether its momentum is Nesterov's.
        print_freq: DeepCore prints every so many batches.
        workers: Processes that read images.
        device: `cpu` or `cuda`.
        gpu: The GPUs to use, or None.
        channel: The images' channels; set from the data.
        im_size: Height and width; set from the data.
        num_classes: The number of classes; set from the data.
        save_path: A folder for checkpoints, or empty.
    """

    model: str = "ResNet18"
    selection_batch: int = 256
    selection_epochs: int = 40
    selection_optimizer: str = "SGD"
    selection_lr: float = 0.1
    selection_momentum: float = 0.9
    selection_weight_decay: float = 5e-4
    selection_nesterov: bool = True
    selection_test_interval: int = 1
    selection_test_fraction: float = 1.0
    epochs: int = 200
    train_batch: int = 256
    optimizer: str = "SGD"
    lr: float = 0.1
    min_lr: float = 1e-4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = True
    print_freq: int = 20
    workers: int = 4
    device: str = "cpu"
    gpu: list[int] | None = None
    channel: int = 3
    im_size: tuple[int, int] = (32, 32)
    num_classes: int = 10
    save_path: str = ""


class CoresetMethod:
    """The stand-in for DeepCore's class of this name.

    Arguments:
        dst_train: The training set, with `classes` and `targets`.
        args: DeepCore's arguments, or `Args`.
        fraction: The share that is kept, in (0, 1].
        random_seed: The seed of all random draws.

    Raises:
        ValueError: If the fraction is not in (0, 1].
    """

    def __init__(
        self, dst_train: Any, args: Any, fraction: float = 0.5, random_seed: int | None = None, **kwargs: Any
    ) -> None:
        check_fraction(fraction)
        self.dst_train, self.args, self.fraction, self.random_seed = dst_train, args, fraction, random_seed
        self.num_classes, self.n_train = len(dst_train.classes), len(dst_train)
        self.coreset_size = round(self.n_train * fraction)

    def select(self, **kwargs: Any) -> dict[str, Any]:
        """The selection: `indices`, and perhaps `scores` and `weights`."""
        raise NotImplementedError
