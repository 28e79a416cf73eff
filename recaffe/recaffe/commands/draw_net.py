"""usage: recaffe draw_net NET_PROTOTXT IMAGE_FILE [--rankdir=LR] [--phase=ALL] [--display_lrm]

Draws a net as a graph into a picture of the kind that its name ends with: .png, .svg, .pdf and whatever Graphviz makes,
or .raw for the text that Graphviz reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recaffe import draw
from recaffe.commands.flags import UsageError, flag, parse
from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2, files

_PHASES = {"TRAIN": caffe_pb2.TRAIN, "TEST": caffe_pb2.TEST, "ALL": None}


@dataclass
class Flags:
    rankdir: str = flag("LR", "LR from left to right, TB from top to bottom, or RL or BT.")
    phase: str = flag("ALL", "Which layers to draw: those of phase TRAIN, of TEST, or ALL.")
    display_lrm: bool = flag(False, "Show lr_mult at Convolution, Deconvolution and InnerProduct layers.")


def main(argv: Sequence[str]) -> int:
    """Source: python/draw_net.py."""
    flags, words = parse(Flags, argv)
    if len(words) != 2:
        raise UsageError(f"needs a net prototxt and an image file to write; found {len(words)}")
    if flags.phase not in _PHASES:
        raise UsageError(f"flag --phase is {flags.phase!r}, expected TRAIN, TEST or ALL")
    model, picture = words
    net = files.read_net(model)
    print(f"Drawing net to {picture}")
    try:
        draw.draw_net_to_file(net, picture, flags.rankdir, _PHASES[flags.phase], flags.display_lrm)
    except (ImportError, ValueError) as error:
        raise CaffeError(f"{model}: {error}") from None
    return 0
