"""What a file that is not the message it should be looks like, by its first bytes."""

from __future__ import annotations

import re

_BEGINNINGS = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"version https://git-lfs", "a git-lfs pointer instead of the file it stands for (git lfs pull fetches that)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-zip archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\xff\xfe", "UTF-16 text (save it as UTF-8)"),
    (b"\xfe\xff", "UTF-16 text (save it as UTF-8)"),
)
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|!--)", re.IGNORECASE)
_XML = re.compile(rb"\s*<\?xml")
_PROTOTXT = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*[A-Za-z_]\w*\s*[:{<][^\0]*\Z")
_LMDB = (16, b"\xde\xc0\xef\xbe")  # offset and bytes of its magic number
_TAR = (257, b"ustar")


def foreign_kind(data: bytes) -> str:
    """What the content of a file is that can be no message of Caffe, text or binary; nothing if it may be one."""
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    for pattern, kind in ((_HTML, "an HTML page, as a failed download leaves"), (_XML, "an XML document")):
        if pattern.match(data[:1000]):
            return kind
    for (offset, magic), kind in ((_LMDB, "a database file of LMDB"), (_TAR, "a tar archive")):
        if data[offset : offset + len(magic)] == magic:
            return kind
    return ""


def is_prototxt(data: bytes) -> bool:
    """Whether the content begins as a prototxt does."""
    return bool(_PROTOTXT.match(data[:1000]))
