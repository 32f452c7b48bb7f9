"""Computing the `Scores` of a training split: in memory or in folders, resumable, shared between processes.

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
