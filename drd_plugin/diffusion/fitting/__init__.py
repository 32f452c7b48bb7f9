"""Fitting a small class-conditional diffusion model to a data set."""
