"""What plugins rely on in DeepCore's `methods`: star imports, a base class, taken names, a submodule called uniform."""

from .coresetmethod import *  # noqa: F403
from .craig import *  # noqa: F403
from .deepfool import *  # noqa: F403
from .forgetting import *  # noqa: F403
from .uniform import *  # noqa: F403
