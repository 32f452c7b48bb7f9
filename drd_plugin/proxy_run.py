"""One proxy's training, watched by scores: what it has come to is written down as it goes, and a killed one goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .artifacts import ArtifactError, Features
from .processes import Team, speaks
from .provenance import describe, digest, environment
from .scores import FoldScore, Proxy

if TYPE_CHECKING:
    from .data import Split
    from .training.recipe import Recipe

__all__ = ["Keep", "ProxyRun", "proxy_made"]

Keep = Callable[[Features], None]


def proxy_made(split: Split, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What decides a proxy, ready for JSON."""
    return {"recipe": describe(recipe), "seed": seed, "dataset": split.name, "fingerprint": split.fingerprint}


class ProxyRun:
    """One proxy's training, or what is left of it.

    Arguments:
        split: The training split.
        folds: The scores that watch.
        recipe: How the proxy is trained, in epochs.
        seed: The proxy's own seed; see `drd_plugin.recording.proxy_seed`.
        work: A folder for what was reached; nothing is kept without it.
        us: The processes that share the training.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.
    """

    def __init__(
        self,
        split: Split,
        folds: Sequence[FoldScore],
        recipe: Recipe,
        seed: int,
        work: Path | None,
        us: Team,
        device: str,
        progress: bool,
    ) -> None:
        from .training.checkpoint import Checkpoint

        self.split, self.folds, self.recipe, self.seed, self.us = split, folds, recipe, seed, us
        self.device = device if us.device is None else str(us.device)
        number = seed >> 32
        label = f"proxy (seed {seed % 2**32}{f', number {number}' if number else ''})"
        self.label = label if progress and speaks() else ""
        self.names = [digest(fold) for fold in folds]
        self.kept = None
        if work is not None:
            note = {"folds": self.names, "processes": us.count}
            identity = digest(proxy_made(split, recipe, seed))
            self.kept = Checkpoint(work / f"proxy-{number}.safetensors", identity, note=note)

    def columns(self, keep_features: Keep | None) -> tuple[list[np.ndarray], float]:
        """The scores of each fold, float32[n], and the seconds that the training took.

        Arguments:
            keep_features: Is handed the penultimate features of the proxy.

        Raises:
            ArtifactError: If `work` holds the training of another number of processes.
            FloatingPointError: If the training diverges.
        """
        found = self._found(keep_features is not None)
        if found is not None:
            return found
        start = time.perf_counter()
        columns, earlier = self._watched(keep_features)
        seconds = time.perf_counter() - start + earlier
        if self.kept is not None:
            if self.us.leads:
                self.kept.write(dict(zip(self.names, columns, strict=True)), {"finished": seconds})
            self.us.wait()
        return [column.numpy() for column in columns], seconds

    def _found(self, wants_network: bool) -> tuple[list[np.ndarray], float] | None:
        """The scores if they were finished before. What cannot be gone on from is removed: finished scores where the
        network is wanted once more, and a training that other scores watched.
        """
        found = None if self.kept is None else self.kept.read()
        if self.kept is None or found is None:
            return None
        tensors, said = found
        if "finished" in said and not wants_network and set(self.names) <= set(tensors):
            return [tensors[name].numpy() for name in self.names], said["finished"]
        if "finished" in said or said["folds"] != self.names:
            self.us.wait()
            if self.us.leads:
                self.kept.path.unlink(missing_ok=True)
            self.us.wait()
        elif said["processes"] != self.us.count:
            raise ArtifactError(
                f"{self.kept.path} was begun by {said['processes']} processes, and now there are {self.us.count}: go "
                "on with as many, or remove it."
            )
        return None

    def _watched(self, keep_features: Keep | None) -> tuple[list[Any], float]:
        """The scores, and the seconds of the training that came before this process."""
        from .training.loader import resolve_device
        from .training.loop import train
        from .training.recorder import Recorder

        split, epochs = self.split, self.recipe.epochs or 0
        on = resolve_device(self.device)
        recorder = Recorder(self.folds, len(split), split.num_classes, epochs, on, self.us)
        before = time.perf_counter()
        trained = train(
            split, self.recipe, seed_init=self.seed, seed_order=self.seed, recorder=recorder, checkpoint=self.kept,
            us=self.us, device=self.device, progress=self.label,
        )  # fmt: skip
        earlier = max(0.0, trained.seconds - (time.perf_counter() - before))
        recorder.finish()
        proxy = Proxy(trained.net, split, epochs, self.device)
        if keep_features is not None:
            values, spent = proxy.features.numpy(), earlier + time.perf_counter() - before
            made = {"environment": environment(str(on)), "seconds": round(spent, 3)}
            keep_features(Features(values, split.fingerprint, proxy_made(split, self.recipe, self.seed) | made))
        states = zip(self.folds, recorder.states, strict=True)
        return [fold.compute(state, proxy).float().cpu() for fold, state in states], earlier
