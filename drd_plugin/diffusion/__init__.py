"""Class-conditional diffusion models: loading them, fitting them, reconstructing images, and choosing the timestep.

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
