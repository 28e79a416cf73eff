"""usage: recaffe compute_image_mean [flags] INPUT_DB [OUTPUT_FILE]

Adds up the images of a database and logs the mean of each channel; OUTPUT_FILE takes the mean image, as `mean_file`
reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recaffe.commands.flags import UsageError, flag, parse
from recaffe.data.cursor import Cursor, open_cursor
from recaffe.data.errors import DatabaseError, RecordError
from recaffe.data.records import read_datum, values_of
from recaffe.glog import number
from recaffe.proto import caffe_pb2, files

log = logging.getLogger("recaffe.commands")
BACKENDS = {"lmdb": caffe_pb2.DataParameter.LMDB, "leveldb": caffe_pb2.DataParameter.LEVELDB}
_LOG_EVERY = 10000


@dataclass
class Flags:
    backend: str = flag("lmdb", "The kind of database, lmdb or leveldb, that holds the images.")


def main(argv: Sequence[str]) -> int:
    flags, words = parse(Flags, argv)
    if len(words) not in (1, 2):
        raise UsageError(f"{len(words)} arguments, expected one or two: INPUT_DB [OUTPUT_FILE]")
    if flags.backend not in BACKENDS:
        raise UsageError(f"flag --backend is {flags.backend!r}, expected 'lmdb' or 'leveldb'")
    mean = mean_image(open_cursor(words[0], BACKENDS[flags.backend]))
    if len(words) == 2:
        log.info("Write to %s", words[1])
        channels, height, width = mean.shape
        blob = caffe_pb2.BlobProto(num=1, channels=channels, height=height, width=width, data=mean.ravel().tolist())
        files.write_binary(words[1], blob)
    log.info("Number of channels: %d", len(mean))
    for index, channel in enumerate(mean):
        total = np.cumsum(channel, dtype=np.float32)[-1]  # one after the other, as Caffe adds
        log.info("mean_value channel [%d]: %s", index, number(float(total / np.float32(channel.size))))
    return 0


def mean_image(cursor: Cursor) -> NDArray[np.float32]:
    """The mean of all images of a database, float32 (C, H, W), added up one after the other in single precision.

    Raises DatabaseError, with the key, for a record that is no image or is of another shape than the first one.
    """
    total = np.array(_values(cursor), dtype=np.float32)
    log.info("Starting iteration")
    count = 1
    while cursor.next():
        values = _values(cursor)
        if values.shape != total.shape:
            raise DatabaseError(
                f"{cursor.source}: record {cursor.key!r} has the shape {values.shape} (channels, height, width), the "
                f"first one {total.shape}"
            )
        total += values
        count += 1
        if count % _LOG_EVERY == 0:
            log.info("Processed %d files.", count)
    if count % _LOG_EVERY:
        log.info("Processed %d files.", count)
    return total / np.float32(count)


def _values(cursor: Cursor) -> NDArray[Any]:
    try:
        return values_of(read_datum(cursor.value))
    except RecordError as error:
        raise DatabaseError(f"{cursor.source}: record {cursor.key!r} {error}") from None
