"""HTML from templates that escape everything, and Markdown from tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from rlbench.reports import numbers

if TYPE_CHECKING:
    import pandas as pd


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        number=numbers.number,
        interval=numbers.interval,
        outcome=numbers.outcome,
        p_value=numbers.p_value,
        count=numbers.count,
        missing=numbers.MISSING,
    )
    return environment


def fragment(template: str, **context: Any) -> str:
    """Give a template of ``templates/`` filled in; every value is escaped unless it is ``Markup``."""
    return _templates().get_template(template).render(**context)


def markdown(table: pd.DataFrame) -> str:
    """Give a table as GitHub's Markdown; its texts cannot break out of their cells."""
    rows = [list(table.columns), *table.itertuples(index=False, name=None)]
    lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    alignment = ["---:" if dtype.kind in "iuf" else "---" for dtype in table.dtypes]
    return "\n".join([lines[0], "| " + " | ".join(alignment) + " |", *lines[1:]]) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return numbers.MISSING if math.isnan(value) else f"{value:.6g}"
    text = " ".join(str(value).split())
    for special in "\\|*_`<>[]$~":
        text = text.replace(special, "\\" + special)
    return text
