import numpy as np

from .coresetmethod import CoresetMethod


class Craig(CoresetMethod):
    """Weighs what it selects."""

    def select(self, **kwargs):
        return {"indices": np.arange(self.coreset_size), "weights": np.arange(self.coreset_size) + 1.0}
