"""Names and identities: what a trial is called on disk, and what makes two trials one."""

from __future__ import annotations

import json

import pytest
from synthetic import identity

from rlbench.api import FolderError, UsageError
from rlbench.results.records import check_schema, content_hash, decode_name, encode_name, open_sealed, seal

HOSTILE = [
    "a/b",
    "..",
    ".",
    "_hidden",
    "$\\frac{$",
    "<script>",
    "ü ñ 東京",
    "100%",
    "~",
    "q\"'",
    "C:\\x",
    "a\nb",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_becomes_one_safe_path_component_and_comes_back(name):
    encoded = encode_name(name)
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%")
    assert encoded not in {".", ".."}
    assert decode_name(encoded) == name


def test_plain_names_stay_readable():
    assert encode_name("CartPole-v1_a.b") == "CartPole-v1_a.b"


@pytest.mark.parametrize("name", ["", "x" * 256, "ü" * 43, "\ud800"])
def test_impossible_names_are_usage_errors(name):
    with pytest.raises(UsageError, match=r"; "):
        encode_name(name)


def test_a_name_of_255_bytes_is_carried():
    assert decode_name(encode_name("x" * 255)) == "x" * 255


def test_equal_content_is_one_trial_whatever_the_order_of_keys():
    one = identity(config={"a": 1, "b": (2, 3)})
    other = identity(config={"b": [2, 3], "a": 1})
    assert one.hash == other.hash
    assert one.folder == other.folder


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"steps": 1}, {"config": {}}, {"env_kwargs": {"x": 1}}, {"evaluation_points": 3}],
)
def test_any_change_of_a_setting_is_another_trial(change):
    assert identity(**change).hash != identity().hash


def test_the_hash_is_the_content_hash_of_the_document():
    document = json.loads(json.dumps(identity().document()))
    assert content_hash(document) == identity().hash
    assert identity().folder == f"dqn/CartPole-v1/seed-0-{identity().hash}"


def test_settings_that_json_cannot_carry_are_refused():
    with pytest.raises(UsageError, match="finite numbers"):
        _ = identity(config={"clip": float("inf")}).hash


def test_a_seal_shows_any_change():
    sealed = seal({"status": "finished", "step": 10})
    assert open_sealed(json.dumps(sealed).encode()) == {"status": "finished", "step": 10}
    assert open_sealed(json.dumps({**sealed, "step": 11}).encode()) is None
    assert open_sealed(b"[]") is None
    assert open_sealed(b"") is None


def test_a_later_schema_asks_for_an_upgrade():
    with pytest.raises(FolderError, match="upgrade rlbench"):
        check_schema({"schema_version": 99}, "trial.json")
