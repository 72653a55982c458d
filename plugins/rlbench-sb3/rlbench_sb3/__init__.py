"""Stable-Baselines3's algorithms as rlbench plugins."""
