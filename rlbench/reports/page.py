"""Builds the report: one self-contained page, and its figures and tables as files beside it."""

from __future__ import annotations

import io
import re
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure

from rlbench import __version__
from rlbench.api import ReportSectionSpec, Section, UsageError, resolve
from rlbench.reports.markup import fragment, markdown
from rlbench.reports.numbers import count
from rlbench.reports.style import figure_style, in_page
from rlbench.results.records import encode_name


@dataclass(frozen=True)
class _Drawn:
    file: str
    svg: Markup


@dataclass
class _Shown:
    """A section as the page shows it."""

    name: str
    title: str
    owner: str
    html: str = ""
    figures: list[_Drawn] = field(default_factory=list)
    tables: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""
    traceback: str = ""


def build(results: Any, sections: Mapping[str, Any], out: Path) -> Path:
    """Write ``out/index.html`` with its figures (PNG, SVG) and tables (CSV, Markdown); give its path.

    ``results`` is a ``Results`` object; ``sections`` maps names to entries of the plugin catalogue. A section
    that raises becomes a box that names its plugin. The same results give the same bytes. Raises
    ``UsageError`` where ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for entry in out.iterdir():
            if entry.is_symlink():  # what it leads to is none of the report's business
                entry.unlink()
        ordered = sorted(sections.values(), key=lambda entry: (entry.spec.order, entry.spec.name))
        with sns.axes_style("ticks"), matplotlib.rc_context(figure_style()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the SVG has the text
            shown = [_show(results, entry.spec, entry.plugin.owner, out) for entry in ordered]
        page, whole = out / "index.html", out / "index.html.tmp"
        whole.write_text(_page(results, [one for one in shown if one is not None]), encoding="utf-8")
        whole.replace(page)
    except OSError as error:
        raise UsageError(f"cannot write the report to {out}: {error.strerror}; give another folder") from None
    return page


def _show(results: Any, spec: ReportSectionSpec, owner: str, out: Path) -> _Shown | None:
    shown = _Shown(spec.name, spec.title, owner)
    try:
        section: Section | None = resolve(spec.render)(results)
        if section is None:
            return None
        drawn = [(_file(spec.name, stem), figure) for stem, figure in section.figures.items()]
        shown.figures = [_Drawn(file, _draw(figure, out / file)) for file, figure in drawn]
        for stem, table in section.tables.items():
            file = _file(spec.name, stem)
            (out / f"{file}.csv").write_text(table.to_csv(index=False), encoding="utf-8")
            (out / f"{file}.md").write_text(markdown(table), encoding="utf-8")
            shown.tables.append((stem, file))
        shown.html = section.html
    except (Exception, SystemExit) as error:
        shown.error = " ".join(f"{type(error).__name__}: {error}".split())
        shown.traceback = traceback.format_exc()
    return shown


def _file(section: str, stem: str) -> str:
    return encode_name(section if stem == section else f"{section}-{stem}")


def _draw(figure: Figure, path: Path) -> Markup:
    """Write a figure beside the page; give its SVG for the page, in the page's own colours."""
    figure.savefig(f"{path}.png", metadata={"Software": None})
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    Path(f"{path}.svg").write_text(text, encoding="utf-8")
    label = str(figure.get_label() or path.name)
    inner = text[text.index("<svg") :]
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    head, _, body = inner.partition(">")
    box = re.search(r'viewBox="[^"]*"', head)
    body = in_page(body).replace('id="patch_1"', 'class="background"', 1)
    return Markup('<svg role="img" aria-label="{}" {}>').format(
        label, Markup(box[0] if box else "")
    ) + Markup(body)


def _page(results: Any, sections: list[_Shown]) -> str:
    trials = results.trials
    facts = [
        count(trials["algorithm"].nunique(), "algorithm"),
        count(trials["env"].nunique(), "environment"),
        count(trials["seed"].nunique(), "seed"),
        count(len(trials), "trial"),
    ]
    css = (Path(__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
    return fragment(
        "page.html",
        title=results.path.resolve().name,
        version=__version__,
        facts=facts,
        sections=sections,
        css=Markup(css),
    )
