"""Candidates for emboli: dark spots inside bright vessels, found by tobogganing, sifted by a small fitted rule."""

from data_prep.embolism_detector.detector import Detector, fit_detector
from data_prep.embolism_detector.propose import Proposed, propose

__all__ = ["Detector", "Proposed", "fit_detector", "propose"]
