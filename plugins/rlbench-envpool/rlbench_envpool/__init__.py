"""EnvPool's environments for rlbench."""
