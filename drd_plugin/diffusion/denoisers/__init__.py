"""The denoiser protocol, and the diffusion models that fulfil it."""
