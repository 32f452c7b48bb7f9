"""Selecting a `Subset` of a training split by a method, and the workbench that serves the method's requests.

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
