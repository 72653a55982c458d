"""Builds the report: one self-contained page, and its figures and tables as files beside it."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import traceback
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.backends.backend_pdf
import matplotlib.backends.backend_svg
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure

from rlbench import __version__
from rlbench.api import ReportSectionSpec, Section, Table, UsageError, resolve
from rlbench.reports.markup import fragment, latex, markdown
from rlbench.reports.numbers import count
from rlbench.reports.style import figure_style, looks_of
from rlbench.reports.svg import inline, legend_places
from rlbench.results.records import encode_name

_VIEW = "~"  # between a figure's file and its view: no encoded name has it


@dataclass(frozen=True)
class _View:
    """One drawing of a figure."""

    name: str
    file: str
    svg: Markup
    places: list[int]  # of the algorithms in its legend


@dataclass
class _Shown:
    """A section as the page shows it."""

    name: str
    title: str
    owner: str
    html: str = ""
    figures: list[list[_View]] = field(default_factory=list)
    tables: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""
    traceback: str = ""


def build(results: Any, sections: Mapping[str, Any], out: Path) -> Path:
    """Write ``out/index.html`` and give its path; its figures and tables become files beside it.

    Figures are PNG, SVG and PDF, tables CSV, Markdown and LaTeX. ``results`` is a ``Results`` object;
    ``sections`` maps names to entries of the plugin catalogue. A section that raises becomes a box that names
    its plugin. The same results give the same bytes. Raises ``UsageError`` where ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for entry in out.iterdir():
            if entry.is_symlink():  # what it leads to is none of the report's business
                entry.unlink()
        ordered = sorted(sections.values(), key=lambda entry: (entry.spec.order, entry.spec.name))
        prefixes = (f"f{number}-" for number in itertools.count(1))
        with sns.axes_style("ticks"), matplotlib.rc_context(figure_style()), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the SVG has the text
            shown = [_show(results, entry.spec, entry.plugin.owner, out, prefixes) for entry in ordered]
        page, whole = out / "index.html", out / "index.html.tmp"
        _write(whole, _page(results, [one for one in shown if one is not None]))
        whole.replace(page)
    except OSError as error:
        raise UsageError(f"cannot write the report to {out}: {error.strerror}; give another folder") from None
    return page


def _show(
    results: Any, spec: ReportSectionSpec, owner: str, out: Path, prefixes: Iterator[str]
) -> _Shown | None:
    shown = _Shown(spec.name, spec.title, owner)
    try:
        section: Section | None = resolve(spec.render)(results)
        if section is None:
            return None
        for stem, figure in section.figures.items():
            views = figure if isinstance(figure, Mapping) else {"": figure}
            files = [_file(spec.name, stem) + (_VIEW + encode_name(view) if order else "")
                     for order, view in enumerate(views)]  # fmt: skip
            drawn = [
                _View(view, file, _draw(one, out / file, next(prefixes)), legend_places(one))
                for (view, one), file in zip(views.items(), files, strict=True)
            ]
            shown.figures.append(drawn)
        for stem, table in section.tables.items():
            file, both = _file(spec.name, stem), table if isinstance(table, Table) else Table(table, table)
            _write(out / f"{file}.csv", both.data.to_csv(index=False))
            _write(out / f"{file}.md", markdown(both.printed, both.note))
            _write(out / f"{file}.tex", latex(both.printed, both.note))
            shown.tables.append((stem, file))
        shown.html = section.html
    except (Exception, SystemExit) as error:
        shown.error = " ".join(f"{type(error).__name__}: {error}".split())
        shown.traceback = traceback.format_exc()
    return shown


def _write(path: Path, text: str) -> None:
    """Write UTF-8; a name of a file that is none, in a warning say, is shown with its bytes spelt out."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _file(section: str, stem: str) -> str:
    return encode_name(section if stem == section else f"{section}-{stem}")


def _draw(figure: Figure, path: Path, prefix: str) -> Markup:
    """Write a figure beside the page; give its SVG for the page, in the page's own colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    _write(Path(f"{path}.svg"), buffer.getvalue())
    shown = inline(figure, buffer.getvalue(), prefix, str(figure.get_label() or path.name))
    figure.set_layout_engine(None)  # it is laid out: the other formats need not do that again
    figure.savefig(f"{path}.png", metadata={"Software": None})
    figure.savefig(f"{path}.pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return shown


def _page(results: Any, sections: list[_Shown]) -> str:
    trials, looks = results.trials, looks_of(results)
    facts = [
        count(trials["algorithm"].nunique(), "algorithm"),
        count(trials["env"].nunique(), "environment"),
        count(trials["seed"].nunique(), "seed"),
        count(len(trials), "trial"),
    ]
    script = _template("page.js")
    return fragment(
        "page.html",
        title=results.path.resolve().name,
        version=__version__,
        facts=facts,
        unsound=int(trials["status"].isin(["failed", "damaged"]).sum()),
        sections=sections,
        looks=looks,
        names=list(looks),
        css=Markup(_template("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _template(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
