"""DeepCore (https://github.com/PatrickZH/DeepCore): this library's methods under its `--selection`, and its methods in
this library's tables. The only room that imports `deepcore`.

`import drd_plugin` is enough where DeepCore is importable. `configure()` sets a method's options. Without DeepCore,
`method_class("DRD+CCS")` gives the same class on a stand-in for its base, and `Args` stands for its arguments.

The names are listed in `__init__.pyi`; nothing heavy is imported until one is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
