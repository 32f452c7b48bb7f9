"""Dynamic selection: a subset that changes every epoch.

A method is a frozen dataclass (`RS2()`, `InfoBatch(ratio=0.5)`), and `DynamicSampler` makes of it a sampler for any
loop; `dynamic_sampler` computes what the method needs before. The names are listed in `__init__.pyi`; nothing heavy is
imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
