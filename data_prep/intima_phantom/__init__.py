"""A phantom of carotid ultrasound: longitudinal B-mode images made by rule, with the far wall's two boundaries.

subject draws a person and a scanner, anatomy turns them into a map of echo strengths, speckle lets the echoes interfere
as in a real beam, display makes the scanner's picture of them, experts trace the boundaries, and write puts all on disk
as CUBS has it. It shows nothing about real patients: numbers measured on it are about the path from images to
micrometres, not about medicine. Ranges and strengths without a comment of their own were chosen by eye.
"""

from data_prep.intima_phantom.write import DIFFICULTY, SCALES, generate

__all__ = ["DIFFICULTY", "SCALES", "generate"]
