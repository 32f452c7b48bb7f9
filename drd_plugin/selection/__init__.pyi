from .subset import select as select
from .subset import select_from as select_from
from .workbench import Networks as Networks
from .workbench import RecordingWorkbench as RecordingWorkbench
from .workbench import ScoresWorkbench as ScoresWorkbench
from .workbench import SplitWorkbench as SplitWorkbench
