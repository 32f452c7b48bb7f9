r"""From core patterns to rare factors: a subset that changes by the units of a sparse autoencoder.

This is an independent reading of the abstract of a paper whose formulae and code are not public; each choice is a
field, but for the steepness of a sigmoid schedule.

- Representativeness r_i in [0, 1]: how frequent the factors are that example i shows (see
  `drd_plugin.factors`).
- Rarity v_i in [0, 1]: how rare they are.
- Usage: u_i, how often i was chosen before.
- Schedule: λ rises smoothly from 0 to 1 over the training.

An epoch has the examples with the largest

    (1 - λ) r_i + λ v_i - γ u_i + τ G_i        (G_i independent Gumbel noise),

within each class in proportion to its size, or over all.

**No monopoly.** With the linear penalty and τ = 0 (the default has noise, for which nothing is promised) no two
examples of a class (of the data set, where `within` is `all`) are ever used more than Δ/γ + 1 times apart, where Δ is
the range of (1 - λ) r_i + λ v_i, at most 1 here. For an epoch sets u_i and u_j further apart, with u_i the larger, only
if it has i and not j; then i's value was not below j's, so that before it γ (u_i - u_j) was at most the difference of
their scores, at most Δ; and the epoch adds 1. An epoch that has both, or neither, leaves u_i - u_j as it was. Since the
differences begin at 0, the bound holds at all times, also for scores that change from epoch to epoch, and for full
epochs.

**Unbiased in the long run.** With `unbiased`, an example weighs what it is owed: with c_e = Σ_{s ≤ e} k_s / n, an even
share of all examples seen up to epoch e, its weight is c_e less c at its last use (0 before the first). The weights
that it got up to any use of it then sum up to c_e exactly: over the training each example counts the same, but for what
it is owed since its last use. So the weights begin small, at k_1 / n, as in a warm-up; their mean over all that was
seen rises to 1; and an example that waited long weighs much.

**How much of a curriculum** there is, γ determines: the more used examples are held back, the more evenly all are used,
and the less λ matters. With the default penalty the first epochs alone are clearly of frequent factors, and later ones
nearly a random choice of what was used least; with γ = 0.1 rarity rises over three quarters of the training (the
experiment `dynamic` has both).

References:
    Rethinking Representativeness and Diversity in Dynamic Data Selection (Zhou et al., 2026),
    https://arxiv.org/abs/2603.04981 (the abstract alone)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from typing_extensions import override

from ..core.registry import check_least
from ..factors.autoencoder import Autoencoder
from ..factors.statistics import standardised
from ..strategies import Workbench
from .base import Choice, Dynamic, Examples, Moment, State
from .draw import gumbel, shares, top, top_within
from .schedule import Shape, rise

__all__ = ["FactorCurriculum"]


@dataclass(frozen=True)
class FactorCurriculum(Dynamic):
    """Prefers examples with frequent factors first, with rare ones later, and always those that were used less.

    Arguments:
        features: The feature space that the autoencoder is trained on, as `drd_plugin.factors` names them.
        autoencoder: The autoencoder.
        representativeness: The source of r: `factors`, or the name of a score (DRD, ELBO), whose easiest examples are
            the most representative.
        rarity: The source of v: `factors`, or the name of a score, whose hardest examples are the rarest.
        schedule: How λ rises: `cosine`, `sigmoid` or `linear`.
        gamma: The weight γ of the usage penalty, at least 0.
        penalty: The penalised function of the usage: `linear` u, `log` log(1 + u), or `relative` u over the mean usage.
        temperature: τ of the Gumbel noise, at least 0; 0 chooses the largest.
        within: Whether each `class` has its share, or `all` compete.
        unbiased: Whether the loss weight of an example is what it is owed (see above); otherwise all weigh 1.
    """

    features: str = "proxy"
    autoencoder: Autoencoder = field(default_factory=Autoencoder)
    representativeness: str = "factors"
    rarity: str = "factors"
    schedule: Shape = "cosine"
    gamma: float = 0.5
    penalty: Literal["linear", "log", "relative"] = "linear"
    temperature: float = 0.5
    within: Literal["class", "all"] = "class"
    unbiased: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 0, "gamma", "temperature")

    @property
    @override
    def needs_scores(self) -> tuple[str, ...]:
        return tuple(name for name in (self.representativeness, self.rarity) if name != "factors")

    @property
    @override
    def feature_space(self) -> str:
        return self.features if "factors" in (self.representativeness, self.rarity) else ""

    @override
    def prepare(self, workbench: Workbench) -> dict[str, np.ndarray]:
        """Both values are ranks in [0, 1], within the classes or over all."""
        factors = workbench.factors(self.features, self.autoencoder) if self.feature_space else None
        values = {}
        for name, source in (("representativeness", self.representativeness), ("rarity", self.rarity)):
            if source == "factors":
                value = getattr(factors, name)
            else:
                hardness = workbench.scores(source).hardness
                value = hardness if name == "rarity" else -hardness
            values[name] = standardised(value, workbench.labels if self.within == "class" else None)
        return values

    @override
    def begin(self, examples: Examples) -> State:
        """An even share of all examples seen so far (c_e above), and its value at each example's last use."""
        return {"even": np.zeros(1), "even_at_use": np.zeros(len(examples))}

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        level, values = self.level(moment.pruned_progress), examples.values
        score = (1 - level) * values["representativeness"] + level * values["rarity"]
        keys = gumbel(score - self.gamma * self._penalty(moment.uses), self.temperature, moment.rng)
        if self.within == "all":
            index = top(keys, moment.k, moment.rng)
        else:
            sizes = np.bincount(examples.labels, minlength=examples.num_classes)
            index = top_within(keys, examples.labels, shares(sizes, moment.k), moment.rng)
        state["even"] += moment.k / len(examples)
        owed = state["even"] - state["even_at_use"][index]
        state["even_at_use"][index] = state["even"]
        return Choice(index, owed if self.unbiased else None)

    @override
    def notes(self, examples: Examples, index: np.ndarray, pruned_progress: float) -> dict[str, float]:
        """λ as `level`, and the mean `rarity` of the epoch's examples."""
        return {"level": self.level(pruned_progress), "rarity": float(examples.values["rarity"][index].mean())}

    def level(self, pruned_progress: float) -> float:
        """λ of an epoch that begins at this progress through the pruned phase."""
        return rise(self.schedule, pruned_progress)

    def _penalty(self, uses: np.ndarray) -> np.ndarray:
        if self.penalty == "linear":
            return uses
        return np.log1p(uses) if self.penalty == "log" else uses / max(uses.mean(), 1e-9)
