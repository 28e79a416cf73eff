"""usage: recaffe convert_imageset [flags] ROOTFOLDER/ LISTFILE DB_NAME

Puts the images of a list, lines `path label`, into a new LMDB. Paths follow ROOTFOLDER/ letter by letter; keys are
NUMBER_PATH, eight digits from 0. An image that cannot be read is left out and named in the log, as Caffe does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from recaffe.commands.flags import UsageError, flag, parse
from recaffe.data import images
from recaffe.data.errors import DataError, RecordError
from recaffe.data.files import read_bytes
from recaffe.data.image_list import read_image_list
from recaffe.data.lmdb_writer import LmdbWriter, new_lmdb
from recaffe.data.shuffle import shuffled
from recaffe.proto import caffe_pb2
from recaffe.random_stream import global_stream

log = logging.getLogger("recaffe.commands")
_LOG_EVERY = 1000


@dataclass
class Flags:
    gray: bool = flag(False, "Treat images as grayscale ones.")
    shuffle: bool = flag(False, "Bring the images and their labels into a random order first.")
    backend: str = flag("lmdb", "The kind of database: lmdb. (Caffe's leveldb is read by recaffe, but not written.)")
    resize_width: int = flag(0, "Width in px that images are resized to, together with resize_height.")
    resize_height: int = flag(0, "Height in px that images are resized to, together with resize_width.")
    check_size: bool = flag(False, "Stop at an image of another size than the first one's.")
    encoded: bool = flag(False, "Store images encoded, as they are in their files where nothing needs to be changed.")
    encode_type: str = flag("", "How to encode them: 'png', 'jpg', ... Without it the ending of the file's name says.")


def main(argv: Sequence[str]) -> int:
    flags, words = parse(Flags, argv)
    if len(words) != 3:
        raise UsageError(f"{len(words)} arguments, expected three: ROOTFOLDER/ LISTFILE DB_NAME")
    if flags.backend != "lmdb":
        raise UsageError(f"flag --backend is {flags.backend!r}, expected 'lmdb'; recaffe writes no other database")
    if flags.check_size and (flags.encoded or flags.encode_type):
        raise UsageError("--check_size compares sizes of pixels; it cannot be used with --encoded")
    root, list_file, database = words
    entries = read_image_list(list_file)
    if flags.shuffle:
        log.info("Shuffling data")
        entries = [entries[place] for place in shuffled(np.arange(len(entries)), global_stream)]
    log.info("A total of %d images.", len(entries))
    if flags.encode_type and not flags.encoded:
        log.info("encode_type specified, assuming encoded=true.")
    with new_lmdb(database) as writer:
        count = _convert(root, entries, flags, writer)
        if not count:
            raise DataError(f"{list_file}: none of its images can be read; is {root!r} in front of them?")
    if count % _LOG_EVERY:
        log.info("Processed %d files.", count)
    if count < len(entries):
        log.warning("%s: left out %d of %d images, which cannot be read", list_file, len(entries) - count, len(entries))
    return 0


def _convert(root: str, entries: list[tuple[str, int]], flags: Flags, writer: LmdbWriter) -> int:
    """Put the images into the database; returns how many."""
    datum = caffe_pb2.Datum()
    first_size = None
    count = 0
    for number, (name, label) in enumerate(entries):
        extension = flags.encode_type or (name.rpartition(".")[2].lower() if flags.encoded else "")
        try:
            image = images.read(root + name, not flags.gray, max(0, flags.resize_height), max(0, flags.resize_width))
        except DataError as error:
            log.error("%s", error)
            continue
        is_resized = flags.resize_height > 0 or flags.resize_width > 0
        _fill(datum, image, root + name, extension, is_resized)
        datum.label = label
        size = (datum.channels, datum.height, datum.width)
        first_size = first_size or size
        if flags.check_size and size != first_size:
            raise DataError(f"{root}{name}: has the shape {size} (channels, height, width), the first one {first_size}")
        writer.put(b"%08d_" % number + os.fsencode(name), datum.SerializeToString())
        count += 1
        if count % _LOG_EVERY == 0:
            log.info("Processed %d files.", count)
    return count


def _fill(datum: Any, image: images.Image, path: str, extension: str, is_resized: bool) -> None:
    """Put the image into the Datum, encoded if there is an extension to encode it as. Source: ReadImageToDatum."""
    datum.encoded = bool(extension)
    if not extension:
        datum.channels, (datum.height, datum.width) = image.shape[2], image.shape[:2]
        datum.data = image.transpose(2, 0, 1).tobytes()
    elif not is_resized and _is_of_type(path, extension):
        datum.data = read_bytes(path, "the image")
    else:
        try:
            datum.data = images.encode(image, extension)
        except RecordError as error:
            raise DataError(f"{path}: the image {error}; give another --encode_type") from None


def _is_of_type(path: str, extension: str) -> bool:
    """Whether the file's name says that it is encoded so already."""
    ending, extension = path.rpartition(".")[2].lower(), extension.lower()
    return ending == extension or (extension, ending) == ("jpg", "jpeg")
