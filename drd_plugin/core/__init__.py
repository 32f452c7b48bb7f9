"""Foundations that know no data set: registries, names with settings, seeds, processes, devices and provenance."""
