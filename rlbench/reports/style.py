"""One look for all figures: an algorithm keeps its colour, dashes and marker everywhere in a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

INK = "#1b2733"  # text and axes: the page replaces them by its own colours, light or dark
RULE = "#d8dee6"
PAPER = "#fdfdfe"  # around markers, so that they stand out from lines

# Okabe and Ito's colours as seaborn's "colorblind" palette has them, those first that differ most in grey.
COLOURS = ("#0173b2", "#de8f05", "#029e73", "#cc78bc", "#d55e00", "#56b4e9", "#ca9161", "#949494")
_DASHES = ("", "5 2", "1.2 1.4", "6 1.5 1.2 1.5")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_MARKER_PATHS = {
    "o": "M14 3a3 3 0 1 0 .01 0z",
    "s": "M11.3 3.3h5.4v5.4h-5.4z",
    "^": "M14 2.6l3.4 6.2h-6.8z",
    "D": "M14 2.2l3.8 3.8-3.8 3.8-3.8-3.8z",
    "v": "M14 9.4l3.4-6.2h-6.8z",
    "P": "M12.8 2.6h2.4v2.2h2.2v2.4h-2.2v2.2h-2.4v-2.2h-2.2v-2.4h2.2z",
    "X": "M11 4.4l1.4-1.4 1.6 1.6 1.6-1.6 1.4 1.4-1.6 1.6 1.6 1.6-1.4 1.4-1.6-1.6-1.6 1.6-1.4-1.4 1.6-1.6z",
}

_LONGEST_TEXT = 44


@dataclass(frozen=True)
class Look:
    """How one algorithm is drawn."""

    colour: str
    dashes: str  # SVG's stroke-dasharray in widths of the line; empty for a solid line
    marker: str

    @property
    def pattern(self) -> tuple[float, ...]:
        """The dashes as seaborn takes them; empty for a solid line."""
        return tuple(float(part) for part in self.dashes.split())

    @property
    def linestyle(self) -> Any:
        """The dashes as matplotlib takes them."""
        return (0, self.pattern) if self.pattern else "solid"

    @property
    def ink(self) -> str:
        """The colour as the page knows it: lighter where the reader prefers dark."""
        return in_page(self.colour)

    @property
    def swatch(self) -> Markup:
        """A sample of the line for the page."""
        dashes = " ".join(str(1.8 * part) for part in self.pattern)
        return Markup(
            '<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">'
            '<path d="M1 6h26" style="stroke: {0}" stroke-width="1.8" stroke-dasharray="{1}"/>'
            '<path d="{2}" style="fill: {0}"/></svg>'
        ).format(self.ink, dashes, _MARKER_PATHS[self.marker])


def in_page(text: str) -> str:
    """Replace the colours of figures by the page's variables, which ``page.css`` sets for light and dark."""
    for colour, variable in {INK: "ink", RULE: "rule", PAPER: "card"}.items():
        text = text.replace(colour, f"var(--{variable})")
    for index, colour in enumerate(COLOURS):
        text = text.replace(colour, f"var(--series-{index})")
    return text


def looks(algorithms: Iterable[str]) -> Mapping[str, Look]:
    """Give each algorithm its look, by alphabetical order; the first 56 differ from each other."""
    return {
        name: Look(
            COLOURS[index % len(COLOURS)],
            _DASHES[(index + index // len(COLOURS)) % len(_DASHES)],
            _MARKERS[index % len(_MARKERS)],
        )
        for index, name in enumerate(sorted(set(algorithms)))
    }


def looks_of(results: Any) -> Mapping[str, Look]:
    """Give the looks of all algorithms in these results."""
    return looks(results.trials["algorithm"])


def literal(text: str, longest: int = _LONGEST_TEXT) -> str:
    """Give text so that matplotlib shows it as it is: one line, no mathematics, not endless."""
    line = " ".join(text.split()) or "(blank)"
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return line.replace("$", r"\$")


def short(text: str, longest: int) -> str:
    """Give a name for an axis: cut in the middle, since long names often differ at their ends."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = f"{line[: longest // 2]}…{line[-((longest - 1) // 2) :]}"
    return literal(line)


def figure_style() -> Any:
    """Give matplotlib's settings for every figure of a report; fonts are left to the reader of an SVG."""
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": INK,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.labelcolor": INK,
        "axes.labelsize": 8,
        "axes.linewidth": 0.7,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 8,
        "figure.dpi": 100,
        "figure.facecolor": "white",
        "figure.titlesize": 9,
        "figure.titleweight": "bold",
        "font.family": ["DejaVu Sans"],
        "font.size": 8,
        "grid.color": RULE,
        "grid.linewidth": 0.6,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "lines.solid_capstyle": "round",
        "savefig.dpi": 200,
        "savefig.facecolor": "white",
        "svg.fonttype": "none",
        "svg.hashsalt": "rlbench",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
    }
