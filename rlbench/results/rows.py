"""Frames as plain rows, for documents that programs read."""

from __future__ import annotations

import math
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
