"""usage: recaffe upgrade_net_proto_binary OLD_CAFFEMODEL NEW_CAFFEMODEL

Brings a binary net, with its weights, of an older dialect to today's form. A file that is in today's form already is
written as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from recaffe.commands.upgrade import run
from recaffe.proto import caffe_pb2, upgrade


def main(argv: Sequence[str]) -> int:
    return run(argv, caffe_pb2.NetParameter, upgrade.upgrade_net, "binary")
