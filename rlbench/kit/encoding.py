"""Observations as network inputs: how each kind of space is held and how it is turned into features."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from rlbench import api


class Encoder:
    """Turns observations of one space into features, for any leading axes.

    Discrete observations become one-hot vectors, boxes are flattened, boxes of three dimensions are images
    with the channels in front, whichever end they came in (the one that leaves a square, else the smaller).
    Bytes are divided by 255. Observations stay as they came until the network needs them: :meth:`tensor`
    copies nothing on a CPU.

    Raises :class:`rlbench.api.UsageError` for any other space.
    """

    def __init__(
        self, space: Any, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self._device, self._to = device, dtype
        self.shape: tuple[int, ...]  # of one observation as the environment gives it
        self.dtype: np.dtype
        self.features: tuple[int, ...]  # of one observation as the network takes it
        self._start = 0
        self._classes = 0
        self._channels_last = False
        if isinstance(space, spaces.Discrete):
            self._start, self._classes = int(space.start), int(space.n)
            self.shape, self.dtype, self.features = (), np.dtype(np.int64), (self._classes,)
        elif isinstance(space, spaces.Box):
            self.shape, self.dtype = tuple(space.shape), np.dtype(space.dtype)
            if len(self.shape) == 3:
                first, middle, last = self.shape
                self._channels_last = first == middle or (middle != last and last < first)
                self.features = (last, first, middle) if self._channels_last else self.shape
            else:
                self.features = (math.prod(self.shape),)
        else:
            raise api.UsageError(
                f"observation space {space} is not supported by this algorithm; "
                "use an environment with Discrete or Box observations, or a wrapper that flattens them"
            )

    @property
    def is_image(self) -> bool:
        """Whether the features are an image, ``[channels, height, width]``."""
        return len(self.features) == 3

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype that :meth:`tensor` gives."""
        return torch.from_numpy(np.empty(0, self.dtype)).dtype

    def tensor(self, obs: np.ndarray) -> torch.Tensor:
        """Give observations ``[..., *shape]`` as a tensor in the space's dtype, sharing memory on a CPU."""
        return torch.from_numpy(np.ascontiguousarray(obs, dtype=self.dtype)).to(self._device)

    def encode(self, obs: np.ndarray) -> torch.Tensor:
        """``[..., *shape]`` -> ``[..., *features]``, from numpy."""
        return self(self.tensor(obs))

    def __call__(self, obs: torch.Tensor) -> torch.Tensor:
        """``[..., *shape]`` -> ``[..., *features]``."""
        lead = obs.shape[: obs.ndim - len(self.shape)]
        if self._classes:
            return torch.nn.functional.one_hot(obs.long() - self._start, self._classes).to(self._to)
        features = obs.to(self._to)
        if obs.dtype == torch.uint8:
            features = features.div_(255.0)  # a copy already, of another dtype
        if self.is_image:
            return features.movedim(-1, -3) if self._channels_last else features
        return features.reshape(*lead, *self.features)
