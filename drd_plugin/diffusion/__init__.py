"""Diffusion: denoisers, partial reconstruction, timesteps, the perceptual distance, and fitting."""
