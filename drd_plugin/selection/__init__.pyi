from .subset import select as select
from .subset import select_from as select_from
from .workbench import CachedSource as CachedSource
from .workbench import GivenSource as GivenSource
from .workbench import Networks as Networks
from .workbench import TrainingWorkbench as TrainingWorkbench
