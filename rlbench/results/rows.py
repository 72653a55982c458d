"""What is stored, as it leaves the house: plain rows for programs, harmless text for messages."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows as JSON takes them: whatever is missing or not finite is ``None``."""
    import pandas as pd

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        value = value.item() if hasattr(value, "item") else value
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [{str(key): plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def name_seeds(seeds: Iterable[int]) -> str:
    """Give ``seed 3``, or ``seeds 0-3, 7``, in their order and each once."""
    ranges: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if ranges and seed == ranges[-1][1] + 1:
            ranges[-1][1] = seed
        else:
            ranges.append([seed, seed])
    text = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)
    return f"seed{'' if text.isdigit() else 's'} {text}"


def printable(text: str) -> str:
    """Give stored text without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
