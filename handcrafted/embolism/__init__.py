"""The rival of the embolism application: features of the volume around a candidate, and a classifier of bags."""

from handcrafted.embolism.rival import rate

__all__ = ["rate"]
