"""The factors of a data set: the units of a sparse autoencoder of its features, and how common and how rare they make
each example.

    factors = factors_of(split, "proxy", Autoencoder(k=8), seed=0)
    core = standardised(factors.representativeness, split.labels)
    rare = standardised(factors.rarity, split.labels)

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
