"""A figure's SVG as the page holds it: small, in the page's colours, its parts within reach of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from rlbench.reports.style import in_page

LEGEND = "legend"  # the gid of a legend that the page writes itself
_SERIES = re.compile(r"series-(\d+)(?:-(\w+))?")  # the gid of what belongs to an algorithm, by its place
_LONG = re.compile(r"\d+\.\d{3,}")
_GEOMETRY = frozenset({"d", "x", "y", "width", "height", "points"})
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def series(place: int, part: str = "") -> str:
    """Give the gid for what a figure draws of an algorithm; ``place`` is its place among ``looks``."""
    return f"series-{place}-{part}" if part else f"series-{place}"


def legend_places(figure: Figure) -> list[int]:
    """Give the places of the algorithms in the figure's legend, in its order."""
    found = [_SERIES.fullmatch(str(text.get_gid())) for one in _legends(figure) for text in one.get_texts()]
    return [int(match[1]) for match in found if match]


def inline(figure: Figure, text: str, prefix: str, label: str) -> Markup:
    """Give the SVG ``text`` of a figure that was just drawn for the page, without its legend.

    Ids get ``prefix``, so that they are unique in the page; ids of an algorithm's parts become classes:
    ``series-2 seeds``.
    """
    root = ElementTree.fromstring(text)
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    for legend in _legends(figure):  # it lies at the lower edge
        height *= 1 - legend.get_window_extent().y1 / figure.bbox.height
    wanted = set(_references(root))
    _tidy(root, prefix, wanted)
    body = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    opening = Markup('<svg role="img" aria-label="{}" viewBox="0 0 {:.6g} {:.6g}">').format(
        label, width, height
    )
    return opening + Markup(f"{in_page(body)}</svg>")


def _legends(figure: Figure) -> list[Legend]:
    return [one for one in figure.legends if one.get_gid() == LEGEND]


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for name, value in element.attrib.items():
            if name.endswith("href"):
                yield value.removeprefix("#")
            else:
                yield from _REFERENCE.findall(value)


def _tidy(parent: ElementTree.Element, prefix: str, wanted: set[str]) -> None:
    for child in list(parent):
        child.tag = child.tag.rpartition("}")[2]
        mine = child.attrib.get("id", "")
        if child.tag in ("metadata", "style") or mine in (LEGEND, "patch_1"):  # patch_1: the background
            parent.remove(child)
            continue
        found = _SERIES.fullmatch(mine)
        attributes = {_local(name): _short(_local(name), value, prefix) for name, value in child.items()}
        attributes.pop("id", None)
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]
        if found:
            attributes["class"] = " ".join(filter(None, [f"series-{found[1]}", found[2]]))
        elif mine in wanted:
            attributes["id"] = prefix + mine
        child.attrib.clear()
        child.attrib.update(attributes)
        if child.tag != "text":
            child.text = child.text.strip() if child.text else None
        child.tail = None
        _tidy(child, prefix, wanted)
        if child.tag == "defs" and not len(child):
            parent.remove(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _short(name: str, value: str, prefix: str) -> str:
    """Give an attribute with two decimals where it is geometry, and its references prefixed."""
    if name == "href" and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    if name in _GEOMETRY:
        value = _LONG.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
        return re.sub(r"\s*([A-Za-z])\s*", r"\1", value).strip() if name == "d" else value
    return _REFERENCE.sub(rf"url(#{prefix}\1)", value)
