"""Training: recipes, networks, the loop, and the recorder that lets every fold score watch one run."""

from .loop import Trained, features, predict, train
from .nets import NETS
from .recipe import Recipe
from .recorder import Outputs, Recorder, State

__all__ = ["NETS", "Outputs", "Recipe", "Recorder", "State", "Trained", "features", "predict", "train"]
