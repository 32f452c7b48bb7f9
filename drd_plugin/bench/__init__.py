"""The shared harness: grids, runs, tables and plots."""
