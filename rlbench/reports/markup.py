"""HTML from templates that escape everything; Markdown and LaTeX from tables."""

from __future__ import annotations

import functools
import math
import re
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
        "†": r"$^\dagger$",
        "∞": r"$\infty$",
        '"': r"\char34{}",
    }
)

_FIGURES = re.compile(r"[<−]? ?\d|–$")


@functools.cache
def _templates() -> jinja2.Environment:
    """Make the templates' environment once: it keeps what it has compiled."""
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


def markdown(table: pd.DataFrame, note: str = "") -> str:
    """Give a table as GitHub's Markdown, a note below it; its texts cannot break out of their cells."""
    rows = [list(table.columns), *table.itertuples(index=False, name=None)]
    lines = ["| " + " | ".join(_cell(value).translate(_MARKDOWN) for value in row) + " |" for row in rows]
    alignment = ["---:" if right else "---" for right in _right(table)]
    below = ["", _cell(note).translate(_MARKDOWN)] if note else []
    return "\n".join([lines[0], "| " + " | ".join(alignment) + " |", *lines[1:], *below]) + "\n"


def latex(table: pd.DataFrame, note: str = "") -> str:
    """Give a table for booktabs, a note below it; its texts are never read as commands of LaTeX."""
    rows = [list(table.columns), *table.itertuples(index=False, name=None)]
    head, *body = [" & ".join(_latex_cell(value) for value in row) + r" \\" for row in rows]
    columns = "".join("r" if right else "l" for right in _right(table))
    below = [rf"\multicolumn{{{len(columns)}}}{{l}}{{\footnotesize {_latex_cell(note)}}} \\"] if note else []
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        *below,
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _right(table: pd.DataFrame) -> list[bool]:
    """Say which columns go to the right: numbers, and texts that all begin like one."""
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    return [
        column.dtype.kind in "iuf"
        or (len(column) > 0 and all(isinstance(text, str) and _FIGURES.match(text) for text in column))
        for column in columns
    ]


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
