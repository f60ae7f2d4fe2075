"""Sweeps: grids over any axes, as tables or as labelled datasets, here or on a cluster."""
