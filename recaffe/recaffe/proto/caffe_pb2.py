"""Caffe's messages, enums and enum values under the names of pycaffe's module: NetParameter, Datum, TRAIN, TEST, ...

The classes are built from schema.proto when this module is first imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recaffe.proto.schema_compiler import load_messages

_SCHEMA = Path(__file__).with_name("schema.proto")
globals().update(load_messages(_SCHEMA.read_text(encoding="utf-8"), "recaffe/proto/schema.proto"))

if TYPE_CHECKING:  # the names exist at run time only

    def __getattr__(name: str) -> Any: ...
