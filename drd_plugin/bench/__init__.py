"""The benchmark harness: experiments, their runs, tables, pictures and reports.

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
