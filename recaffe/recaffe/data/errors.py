"""What goes wrong on the way from files to batches."""

from __future__ import annotations

from recaffe.errors import CaffeError


class DataError(CaffeError):
    """A list, image, window or HDF5 file that is missing, unreadable, or does not fit the layer that reads it."""


class DatabaseError(DataError):
    """A database that is missing, empty or unreadable, or a record in it that does not fit."""


class RecordError(ValueError):
    """What is wrong with one record or image ("is ...", "has ..."); who reads it knows its name and says so."""
