"""Training: recipes, networks, the loop, and the recorder that lets every fold score watch one run."""
