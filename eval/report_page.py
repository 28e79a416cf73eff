"""The report of one run as one HTML text: no network, no other file, readable on a phone and in print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

PHANTOM_WARNING = "PHANTOM DATA: synthetic images. These numbers say nothing about clinical performance."

# chosen: below this, a percentile interval over groups is known to be too narrow, and the report says so.
FEW_GROUPS = 10


def render(template: str, *, figures: dict[str, str], **context: Any) -> str:
    """The page. Every text from a file is escaped; a key that run.json lacks is an error, not an empty cell.

    figures: name -> inline SVG element. context: whatever the template shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(share=share, rate=rate, count=count, duration=duration, um=um)
    environment.filters.update(fact=fact, fact_name=fact_name, marked=marked)
    return environment.get_template(template).render(
        figures={name: Markup(svg) for name, svg in figures.items()},  # ours, made by matplotlib
        few_groups=FEW_GROUPS,
        phantom_warning=PHANTOM_WARNING,
        **context,
    )


def share(value: float | None, digits: int = 3) -> str:
    """A sensitivity, an area or a score; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def rate(value: float | None) -> str:
    """A rate of false positives or of learning: as many digits as it has, three that count at most."""
    return "–" if value is None else f"{value:.3g}"


def um(value: float | None) -> str:
    """A length in micrometres."""
    return "–" if value is None else f"{value:.1f}"


def count(value: int) -> str:
    """A count with thin spaces between the thousands."""
    return f"{value:,}".replace(",", "\u2009")


def duration(seconds: float | None) -> str:
    """Seconds as `2 h 05 min`, `3 min 20 s` or `12.3 s`."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def marked(text: str) -> Markup:
    """A line of the Markdown that `eval.results` writes, escaped: **bold** and `code`."""
    html = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", html))


def fact_name(name: str) -> str:
    """A key of a rival's facts as a heading."""
    words = name.replace("_", " ").replace("auc", "AUC")
    return words[:1].upper() + words[1:]


def fact(value: Any) -> str:
    """One of a rival's facts: numbers with the digits that count, what is nested spelled out."""
    if isinstance(value, dict):
        return "; ".join(f"{str(name).replace('_', ' ')}: {fact(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(fact, value))
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
