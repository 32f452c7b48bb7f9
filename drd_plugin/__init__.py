"""Core-set selection for deep learning: DRD and its baselines on one harness.

    import drd_plugin as drd

    data = drd.load("digits")
    subset = drd.select(data.train, "DRD", fraction=0.1, seed=0)
    result = drd.train(data.train, drd.Recipe(), subset=subset, test=data.test)

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

from .deepcore.registration import watch

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

watch()
