"""At home in DeepCore (https://github.com/PatrickZH/DeepCore): this library's methods under `--selection`, and
DeepCore's methods in this library's tables. The only room that imports `deepcore`.

`import drd_plugin` is enough where DeepCore is importable. `configure()` sets a method's options. Without DeepCore,
`method_class("DRD+CCS")` gives the same class on a stand-in for its base, and `Args` stands for its arguments.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Args", "CoresetMethod"],
        "coreset": ["method_class"],
        "images": ["split_of"],
        "options": ["configure"],
        "registration": ["method_names", "watch"],
    },
)
