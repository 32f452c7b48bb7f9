from .artifacts import Scores as Scores
from .artifacts import Subset as Subset
from .bench.plots import plot_accuracy as plot_accuracy
from .bench.results import run_experiment as run_experiment
from .bench.tables.accuracy import table as table
from .data import Split as Split
from .data import from_arrays as from_arrays
from .data import from_texts as from_texts
from .data import load as load
from .deepcore.options import configure as configure
from .diffusion.fitting.fit import fit_denoiser as fit_denoiser
from .diffusion.fitting.settings import Fit as Fit
from .scoring.compute import record as record
from .scoring.compute import score as score
from .selection.subset import select as select
from .training.loop import train as train
from .training.recipe import Recipe as Recipe

__version__: str
