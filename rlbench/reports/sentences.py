"""Sentences in pieces, so that names in them are marked and escaped as each format needs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup


class Name(str):
    """A stored name inside a sentence: hostile text, and bold where the format can."""

    __slots__ = ()


Sentence = tuple[str, ...]
"""Pieces in their order: plain text and names."""


def sentence(template: str, *values: str | Sentence) -> Sentence:
    """Fill each ``{}`` of the template with a text, a ``Name`` or a sentence."""
    texts = template.split("{}")
    pieces: list[str] = [texts[0]]
    for value, text in zip(values, texts[1:], strict=True):
        pieces += [*((value,) if isinstance(value, str) else value), text]
    return tuple(piece for piece in pieces if piece)


def listed(parts: Sequence[Sentence]) -> Sentence:
    """Join as in ``a, b and c``."""
    if len(parts) < 2:
        return tuple(piece for part in parts for piece in part)
    return (*joined(parts[:-1], ", "), " and ", *parts[-1])


def enumerated(texts: Iterable[str]) -> str:
    """Give plain texts as in ``a, b and c``."""
    return plain(listed([(text,) for text in texts]))


def joined(parts: Iterable[Sentence], between: str = " ") -> Sentence:
    """Join sentences to one."""
    pieces = [piece for part in parts for piece in (between, *part)]
    return tuple(pieces[1:])


def plain(text: Sentence) -> str:
    """Give a sentence as plain text, names as they are; tables escape it as their format needs."""
    return "".join(text)


def html(text: Sentence) -> Markup:
    """Give a sentence as HTML, names bold and everything escaped."""
    return Markup("").join(
        Markup("<b>{}</b>").format(str(piece)) if isinstance(piece, Name) else piece for piece in text
    )
