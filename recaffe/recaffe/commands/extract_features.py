"""usage: recaffe extract_features CAFFEMODEL NET_PROTOTXT BLOB[,BLOB...] DATABASE[,DATABASE...] BATCHES lmdb
                                [CPU | GPU] [DEVICE_ID=0]

Runs the net's TEST phase over so many batches and writes each blob into its own new LMDB: one Datum with float_data for
each item, under the keys 0000000000, 0000000001, ...
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import recaffe
from recaffe.commands.caffe_flags import use_device
from recaffe.commands.flags import NoFlags, UsageError, parse
from recaffe.data.lmdb_writer import LmdbWriter, new_lmdb
from recaffe.errors import CaffeError
from recaffe.proto import caffe_pb2

log = logging.getLogger("recaffe.commands")
_REPORTED = 1000  # items from one line of the log to the next, as in Caffe


def main(argv: Sequence[str]) -> int:
    """Source: tools/extract_features.cpp."""
    _, words = parse(NoFlags, argv)
    if not 6 <= len(words) <= 8:
        raise UsageError(f"needs 6 to 8 arguments, found {len(words)}; see recaffe extract_features --help")
    weights, model, blobs, databases, batches, kind, *device = words
    blob_names, paths = blobs.split(","), databases.split(",")
    if len(blob_names) != len(set(paths)):
        raise UsageError(f"{len(blob_names)} blobs but {len(set(paths))} databases; name one database for each blob")
    if not batches.isdecimal():
        raise UsageError(f"the number of batches is {batches!r}, expected a whole number")
    if kind != "lmdb":
        raise UsageError(f"the database type is {kind!r}, expected lmdb; no other kind is written")
    _choose_device(device)
    net = recaffe.Net(model, recaffe.TEST, weights=weights)
    for name in blob_names:
        if name not in net.blobs:
            raise CaffeError(f"{model}: the net has no blob {name!r}; it has {', '.join(net.blobs)}")
    _extract(net, dict(zip(paths, blob_names, strict=True)), int(batches))
    log.error("Successfully extracted the features!")
    return 0


def _choose_device(words: Sequence[str]) -> None:
    """`words`: [CPU | GPU, number]; anything but GPU is the CPU, as in Caffe."""
    if words[:1] != ["GPU"]:
        log.error("Using CPU")
        use_device("")
        return
    number = words[1].removeprefix("DEVICE_ID=") if len(words) > 1 else "0"
    log.error("Using GPU")
    log.error("Using Device_id=%s", number)
    use_device(number)


def _extract(net: recaffe.Net, blob_of: dict[str, str], batches: int) -> None:
    """Write the blobs into their databases (path -> blob name), all of them whole or none."""
    counts = dict.fromkeys(blob_of, 0)
    with ExitStack() as stack:
        writers: dict[str, LmdbWriter] = {}
        for path in blob_of:
            log.info("Opening dataset %s", path)
            writers[path] = stack.enter_context(new_lmdb(Path(path)))
        log.error("Extracting Features")
        for _ in range(batches):
            net.forward()
            for path, name in blob_of.items():
                for datum in _data(net.blobs[name]):
                    writers[path].put(b"%010d" % counts[path], datum.SerializeToString())
                    counts[path] += 1
                    if counts[path] % _REPORTED == 0:
                        _report(counts[path], name)
        for path, name in blob_of.items():
            _report(counts[path], name)


def _report(count: int, name: str) -> None:
    log.error("Extracted features of %d query images for feature blob %s", count, name)


def _data(blob: recaffe.Blob) -> list[caffe_pb2.Datum]:
    """The blob's items, each a Datum of float_data with the blob's channels, height and width."""
    rows: np.ndarray = blob.data.reshape(blob.num, -1)
    size = {"channels": blob.channels, "height": blob.height, "width": blob.width}
    return [caffe_pb2.Datum(**size, float_data=row.tolist()) for row in rows]
