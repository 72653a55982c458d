"""The device a worker computes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from rlbench import api


def resolve_device(name: str) -> str:
    """Give the torch device string for ``auto``, ``cpu``, ``cuda`` or ``cuda:INDEX``.

    Raises :class:`rlbench.api.UsageError` where the device does not exist on this machine.
    """
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not index.isdecimal()):
        raise api.UsageError(f"unknown device {name!r}; give auto, cpu, cuda or cuda:INDEX")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise api.UsageError(f"device {name!r} is not there: torch finds no CUDA device; use --device cpu")
    if int(index or 0) >= count:
        raise api.UsageError(
            f"device {name!r} is not there: torch finds {count}; use cuda:0 to cuda:{count - 1}"
        )
    return f"cuda:{int(index or 0)}"


def prepare(device: str) -> None:
    """Settle how this process computes: one thread, and on CUDA only deterministic kernels.

    Called once by a worker before its first tensor. On CUDA the environment variable
    ``CUBLAS_WORKSPACE_CONFIG=:4096:8`` must be set before the process starts using the device.
    """
    torch.set_num_threads(1)
    if device.startswith("cuda"):
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


@contextlib.contextmanager
def prepared(device: str) -> Iterator[None]:
    """Compute as a worker does, in a process that has other things to do afterwards."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    prepare(device)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)


def device_name(device: str) -> str:
    """Give the name of a CUDA device, as in ``NVIDIA H100``; empty for another device."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else ""


def device_names() -> list[str]:
    """Give the names of all CUDA devices that torch can use."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [device_name(f"cuda:{index}") for index in range(count)]
