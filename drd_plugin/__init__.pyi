from .artifacts import Scores as Scores
from .artifacts import Subset as Subset
from .bench.experiment import find_grid as find_grid
from .bench.plots import plot_accuracy as plot_accuracy
from .bench.run import run_grid as run_grid
from .bench.table import table as table
from .data import DATASETS as DATASETS
from .data import Split as Split
from .data import from_arrays as from_arrays
from .data import from_texts as from_texts
from .data import load as load
from .deepcore.options import configure as configure
from .diffusion.fit import Fit as Fit
from .engine import score as score
from .methods import METHODS as METHODS
from .methods import parse as parse
from .recording import record as record
from .scores import SCORES as SCORES
from .selection import select as select
from .strategies import STRATEGIES as STRATEGIES
from .training.loop import train as train
from .training.recipe import Recipe as Recipe

__version__: str
