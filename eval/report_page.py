"""The report of one run as one HTML text: no network, no other file, readable on a phone and in print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from eval.evaluation import Evaluation
from eval.operating_points import OperatingPoint
from eval.split_counts import SplitCounts
from eval.worst_errors import WorstErrors
from layerwise.applications import Application

PHANTOM_WARNING = "PHANTOM DATA: synthetic images. These numbers say nothing about clinical performance."

# chosen: below this, a percentile interval over groups is known to be too narrow, and the report says so.
FEW_GROUPS = 10

# What a reader wants spelled out where the data set's files have a name only.
HIT_CRITERIA = {
    "centre-in-ground-truth": "A candidate hits a lesion if the centre of its box lies in the lesion's ground truth."
}


@dataclass(frozen=True)
class Cost:
    """What the training took. None where train.csv or run.json does not have it."""

    training_seconds: float | None
    validation_seconds: float | None
    iterations: int
    epochs: float
    images_per_s: float | None


@dataclass(frozen=True)
class ReportPage:
    """Everything the template shows.

    image: what the application calls one (frame, volume). figures: name -> inline SVG element. worst_at: the point of
    `worst`. detector: hit_criterion and fitted_on.
    """

    run: dict[str, Any]
    application: Application
    image: str
    evaluation: Evaluation
    splits: Sequence[SplitCounts]
    figures: dict[str, str]
    worst: WorstErrors
    worst_at: OperatingPoint
    detector: dict[str, Any]
    cost: Cost

    def render(self) -> str:
        """The page. Every text from a file is escaped; a key that run.json lacks is an error, not an empty cell."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(share=share, rate=rate, count=count, duration=duration)
        return environment.get_template("report.html.jinja").render(
            run=self.run,
            application=self.application,
            evaluation=self.evaluation,
            splits=self.splits,
            figures={name: Markup(svg) for name, svg in self.figures.items()},  # ours, made by matplotlib
            worst=self.worst,
            worst_at=self.worst_at,
            image=self.image,
            hit_criterion=HIT_CRITERIA.get(self.detector["hit_criterion"], self.detector["hit_criterion"]),
            detector=self.detector,
            cost=self.cost,
            few_groups=FEW_GROUPS,
            phantom_warning=PHANTOM_WARNING,
        )


def share(value: float | None, digits: int = 3) -> str:
    """A sensitivity, an area or a score; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def rate(value: float | None) -> str:
    """A rate of false positives or of learning: as many digits as it has, three that count at most."""
    return "–" if value is None else f"{value:.3g}"


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
