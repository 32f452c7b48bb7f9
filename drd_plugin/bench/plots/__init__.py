"""Pictures. Each function draws on the axis it is given, or on a new one, and returns it."""

from .axes import check_picture, save
from .budgets import plot_budgets, plot_time, plot_trajectory, plot_uses
from .diffusion import plot_reconstructions, plot_snr, plot_timesteps
from .images import plot_images, plot_scores
from .runs import plot_accuracy, plot_cost, plot_windows
from .studies import plot_cross, plot_detection, plot_stability, plot_strata

__all__ = [
    "check_picture",
    "plot_accuracy",
    "plot_budgets",
    "plot_cost",
    "plot_cross",
    "plot_detection",
    "plot_images",
    "plot_reconstructions",
    "plot_scores",
    "plot_snr",
    "plot_stability",
    "plot_strata",
    "plot_time",
    "plot_timesteps",
    "plot_trajectory",
    "plot_uses",
    "plot_windows",
    "save",
]
