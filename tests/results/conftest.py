"""Real runs without processes, for tests of what they leave on the disk."""

from in_process import lockstep

__all__ = ["lockstep"]
