import numpy as np

from .coresetmethod import CoresetMethod


class Uniform(CoresetMethod):
    def __init__(self, dst_train, args, fraction=0.5, random_seed=None, balance=False, **kwargs):
        super().__init__(dst_train, args, fraction, random_seed)
        self.balance = balance

    def select(self, **kwargs):
        rng = np.random.default_rng(self.random_seed)
        if not self.balance:
            return {"indices": rng.choice(self.n_train, self.coreset_size, replace=False)}
        groups = [np.flatnonzero(np.asarray(self.dst_train.targets) == c) for c in range(self.num_classes)]
        return {
            "indices": np.concatenate([rng.choice(g, round(self.fraction * len(g)), replace=False) for g in groups])
        }
