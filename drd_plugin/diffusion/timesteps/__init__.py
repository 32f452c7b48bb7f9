"""How the reconstruction timestep of each class is chosen."""
