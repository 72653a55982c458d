"""The results folder: what a trial is, how it is written, and how it is read back into pandas."""
