"""What the three upgrade commands have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal

from recaffe.commands.flags import NoFlags, UsageError, parse
from recaffe.proto import files

log = logging.getLogger("recaffe.commands")
_FORMS = {"text": (files.read_text, files.write_text), "binary": (files.read_binary, files.write_binary)}


def run(
    argv: Sequence[str], message_class: Any, upgrade: Callable[[Any, str], None], form: Literal["text", "binary"]
) -> int:
    """Read the message in the first file, upgrade it, write it to the second, whole or not at all.

    A message that cannot be upgraded is an UpgradeError and nothing is written; real Caffe writes what it has.
    """
    _, words = parse(NoFlags, argv)
    if len(words) != 2:
        raise UsageError(f"needs two files, one to read and one to write; found {len(words)}")
    source, target = words
    read, write = _FORMS[form]
    message = read(source, message_class)
    before = message.SerializeToString(deterministic=True)
    upgrade(message, source)
    if message.SerializeToString(deterministic=True) == before:
        log.error("File already in latest proto format: %s", source)
    write(target, message)
    log.info("Wrote upgraded %s %s proto to %s", message_class.DESCRIPTOR.name, form, target)
    return 0
