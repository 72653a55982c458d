"""Frames in, frames out: scores, learning curves and comparisons, in numpy, pandas and scipy alone."""
