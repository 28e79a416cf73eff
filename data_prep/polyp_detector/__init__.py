"""A classical candidate detector for polyps: edges vote for round things, a small classifier prunes them."""

from data_prep.polyp_detector.detector import Detector, Proposed, fit_detector, propose

__all__ = ["Detector", "Proposed", "fit_detector", "propose"]
