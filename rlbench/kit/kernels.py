"""The way to compiled code (``_kernels.c``) for what numpy and torch are slow at on a CPU: many small things.

It is built where rlbench is installed and a C compiler is found. Elsewhere, on other devices and in other
dtypes torch computes the same to rounding.
"""

from __future__ import annotations

from typing import Any

import torch

from rlbench.kit import extension

_kernels = extension.load()

INSTRUCTIONS = ("any", "avx2", "avx512")
"""What the code is compiled for. The first may lack fused multiply-adds; the others give the same bits."""


def compiled_for(device: torch.device, dtype: torch.dtype) -> Any:
    """Give the module for float32 tensors on a CPU, or ``None`` where torch has to do it."""
    return _kernels if device.type == "cpu" and dtype == torch.float32 else None


def empty(*shape: int) -> torch.Tensor:
    """Give memory for compiled code to write to, whatever torch's defaults are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")


def level() -> int:
    """Which of :data:`INSTRUCTIONS` to use: the processor's best, within what ATEN_CPU_CAPABILITY allows."""
    allowed = {"AVX512": 2, "AVX2": 1}.get(torch.backends.cpu.get_cpu_capability(), 0)
    return min(_kernels.best, allowed)
