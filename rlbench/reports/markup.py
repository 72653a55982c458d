"""HTML from templates that escape everything; Markdown and LaTeX from tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from rlbench.reports import numbers

if TYPE_CHECKING:
    import pandas as pd

_MARKDOWN = str.maketrans({special: "\\" + special for special in "\\|*_`<>[]$~"})
# What LaTeX would read as a command, an argument of the row's end, or a ligature.
_LATEX = str.maketrans(
    {special: "\\" + special for special in "&%$#_{}"}
    | {special: "{" + special + "}" for special in "[]*-"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
        "−": "$-$",
        "∞": r"$\infty$",
        '"': r"\char34{}",
    }
)


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
    lines = ["| " + " | ".join(_cell(value).translate(_MARKDOWN) for value in row) + " |" for row in rows]
    alignment = ["---:" if dtype.kind in "iuf" else "---" for dtype in table.dtypes]
    return "\n".join([lines[0], "| " + " | ".join(alignment) + " |", *lines[1:]]) + "\n"


def latex(table: pd.DataFrame) -> str:
    """Give a table as LaTeX in the style of booktabs; its texts are never read as commands."""
    rows = [list(table.columns), *table.itertuples(index=False, name=None)]
    head, *body = [" & ".join(_latex_cell(value) for value in row) + r" \\" for row in rows]
    columns = "".join("r" if dtype.kind in "iuf" else "l" for dtype in table.dtypes)
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cell(value: Any) -> str:
    text = _cell(value)
    if not isinstance(value, str) and text.startswith("-"):
        return f"$-${text[1:].translate(_LATEX)}"  # a minus, not a hyphen
    return "".join(character for character in text if character.isprintable()).translate(_LATEX)


def _cell(value: Any) -> str:
    import pandas as pd

    if value is pd.NA:
        return numbers.MISSING
    if isinstance(value, float):
        return numbers.MISSING if math.isnan(value) else f"{value:.6g}"
    return " ".join(str(value).split())
