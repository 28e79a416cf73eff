"""usage: recaffe upgrade_net_proto_text OLD_PROTOTXT NEW_PROTOTXT

Brings a net prototxt of an older dialect (V0, V1, or `input` fields) to today's form. A file that is in today's form
already is written as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from recaffe.commands.upgrade import run
from recaffe.proto import caffe_pb2, upgrade


def main(argv: Sequence[str]) -> int:
    return run(argv, caffe_pb2.NetParameter, upgrade.upgrade_net, "text")
