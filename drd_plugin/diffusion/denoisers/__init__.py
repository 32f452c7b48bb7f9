"""The denoiser protocol, and the diffusion models that implement it."""
