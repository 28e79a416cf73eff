"""A classical candidate detector for polyps: classified edges vote for round things, a small classifier prunes them."""

from data_prep.polyp_detector.detector import Detector, Proposed, fit_detector, propose, sample
from data_prep.polyp_detector.edge_classifier import EdgeClassifiers, EdgeSample, fit_edge_classifiers

__all__ = [
    "Detector",
    "EdgeClassifiers",
    "EdgeSample",
    "Proposed",
    "fit_detector",
    "fit_edge_classifiers",
    "propose",
    "sample",
]
