"""The paper's tables S1 to S4: where it found two schemes to differ (p < .05), and its p-values of the boundaries.

Rows and columns are its names: the first tuned layer, `scratch` (one of three fillings), `hand`. A question mark: the
table's empty cells are lost in the text that is at hand, so that the column is a reading from left to right.
Source: Tajbakhsh et al. 2016, supplementary tables S1 to S4.
"""

from __future__ import annotations

from layerwise.schemes import HANDCRAFTED

NAMES: tuple[str, ...] = ("fc8", "fc7", "fc6", "conv5", "conv4", "conv3", "conv2", "conv1", "scratch", "hand")
NUMBERS = {"polyp": "S1", "embolism": "S2", "frames": "S3", "intima": "S4"}
NOT_SIGNIFICANT = "n.s."

Cells = dict[str, dict[str, str]]  # row -> column -> text

_BOTH = "0.001 0.01"
_S1: Cells = {
    "fc7": {"fc8": _BOTH},
    "fc6": {"fc8": f"{_BOTH}?"},
    "conv5": dict.fromkeys(("fc8", "fc7", "fc6"), _BOTH),
    "conv4": dict.fromkeys(("fc8", "fc7", "fc6"), f"{_BOTH}?"),
    "conv3": {**dict.fromkeys(("fc8", "fc7", "fc6"), f"{_BOTH}?"), "conv5": "0.001?"},
    "conv2": dict.fromkeys(NAMES[:6], _BOTH),
    "conv1": dict.fromkeys(NAMES[:6], _BOTH),
    "scratch": dict(zip(NAMES[:8], (_BOTH, "0.01", _BOTH, _BOTH, _BOTH, "0.001", "0.001", _BOTH), strict=True)),
    "hand": dict.fromkeys(NAMES[:9], _BOTH),
}
_S2: Cells = {
    "fc7": {"fc8": "2 3 4 5"},
    "fc6": {"fc8": "1 2 3 4 5"},
    "conv5": {"fc8": "1 2 3 4 5", "fc7": "1 2?"},
    "conv4": {"fc8": "1 2 3 4 5", "fc7": "1 2 3?"},
    "conv3": {"fc8": "1 2 3 4 5", "fc7": "1 2 3 5", "fc6": "1?"},
    "conv2": {"fc8": "1 2 3 4 5", "fc7": "1 2 3 4 5"},
    "conv1": {"fc8": "1 2 3 4 5", "fc7": "1 2 3 4 5", "fc6": "3"},
    "scratch": {"fc8": "1 2 3 4 5", "fc7": "1 2 3"},
    "hand": {"fc8": "1 2 3 4 5", "fc7": "1 2 3 5"},
}
# Of scratch four cells are significant, of unknown columns: 0.1 in one, 0.1 and 0.15 in two, 0.15 in one.
_S3: Cells = {
    "fc7": {"fc8": "0.1"},
    "fc6": {"fc8": "0.1"},
    **{name: {"fc8": "0.1 0.15"} for name in NAMES[3:8]},
    "scratch": dict.fromkeys(NAMES[:8], "?"),
    "hand": {"fc8": "0.2", **dict.fromkeys(NAMES[1:8], "0.1 0.15 0.2"), "scratch": "0.15 0.2"},
}
_TINY = "<.0001"
_LI = (
    (_TINY,),
    (_TINY, _TINY),
    (_TINY, _TINY, "<.001"),
    (_TINY, _TINY, _TINY, ".5808"),
    (_TINY, _TINY, _TINY, ".0638", ".0758"),
    (_TINY, _TINY, _TINY, ".2501", ".3570", ".2284"),
    (_TINY, _TINY, _TINY, ".4183", ".5491", ".4650", ".9530"),
    (_TINY, _TINY, ".7829", "<.05", _TINY, _TINY, _TINY, _TINY),
    (".8148", _TINY, _TINY, _TINY, _TINY, _TINY, _TINY, _TINY, _TINY),
)
_MA = (
    (_TINY,),
    (_TINY, _TINY),
    (_TINY, _TINY, "<.05"),
    (_TINY, _TINY, _TINY, "<.05"),
    (_TINY, _TINY, "<.05", ".7904", "<.05"),
    (_TINY, _TINY, "<.05", ".7160", "<.05", ".8854"),
    (_TINY, _TINY, "<.001", ".2474", ".2456", ".2915", ".2313"),
    (_TINY, _TINY, ".3954", ".2106", "<.05", ".1369", ".0981", "<.05"),
    (".5109", _TINY, _TINY, _TINY, _TINY, _TINY, _TINY, _TINY, _TINY),
)
_RATES = {"polyp": _S1, "embolism": _S2, "frames": _S3}
_P_VALUES: dict[str, Cells] = {
    name: {row: dict(zip(NAMES, cells, strict=False)) for row, cells in zip(NAMES[1:], rows, strict=True)}
    for name, rows in (("LI", _LI), ("MA", _MA))
}


def paper_name(scheme: str) -> str:
    """Ours in the paper's words."""
    kind, _, rest = scheme.partition("-")
    return "hand" if scheme == HANDCRAFTED else rest if kind == "finetune" else kind


def paper_cell(application: str, column: str, row: str, other: str) -> str:
    """What the paper has of two schemes, `row` the deeper; column: of intima LI or MA. "" where it has nothing."""
    names = paper_name(row), paper_name(other)
    if names[0] == names[1]:
        return ""
    if application == "intima":
        return _P_VALUES.get(column, {}).get(names[0], {}).get(names[1], "")
    return _RATES[application].get(names[0], {}).get(names[1], NOT_SIGNIFICANT)
