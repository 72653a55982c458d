"""Choosing a device."""

import pytest
import torch

from rlbench import api
from rlbench.kit.devices import device_name, device_names, prepare, resolve_device


@pytest.fixture
def cuda_devices(monkeypatch):
    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_takes_cuda_where_it_is_there(cuda_devices):
    cuda_devices(0)
    assert resolve_device("auto") == "cpu"
    cuda_devices(2)
    assert resolve_device("auto") == "cuda:0"


@pytest.mark.parametrize(("name", "resolved"), [("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_device_that_is_there(cuda_devices, name, resolved):
    cuda_devices(2)
    assert resolve_device(name) == resolved


@pytest.mark.parametrize(
    ("count", "name", "cure"),
    [
        (0, "cuda", "use --device cpu"),
        (0, "cuda:0", "use --device cpu"),
        (2, "cuda:2", "use cuda:0 to cuda:1"),
    ],
)
def test_a_device_that_is_not_there_has_a_cause_and_a_cure(cuda_devices, count, name, cure):
    cuda_devices(count)
    with pytest.raises(api.UsageError, match=f"'{name}' is not there: .*; {cure}"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cudax", ""])
def test_a_word_that_is_no_device(cuda_devices, name):
    cuda_devices(2)
    with pytest.raises(api.UsageError, match="unknown device"):
        resolve_device(name)


def test_a_worker_computes_with_one_thread():
    prepare("cpu")
    assert torch.get_num_threads() == 1


def test_devices_have_the_names_that_torch_gives_them(cuda_devices, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device[-1]}")
    cuda_devices(2)
    assert device_names() == ["card 0", "card 1"]
    assert (device_name("cuda:1"), device_name("cpu")) == ("card 1", "")
    cuda_devices(0)
    assert device_names() == []
