"""A phantom of colonoscopy: videos made by rule, with polyps, their masks, and what is mistaken for them.

lumen (shape of the wall) and mucosa (its skin) are maps over depth and angle; polyps and distractors add solids and
paint; camera moves; render sends rays; optics and overlay make a recording of it; video joins them; write puts it on
disk. It shows nothing about real patients: numbers measured on it are about the method's path, not about medicine.
"""

from data_prep.polyp_phantom.write import SCALES, generate, plan_videos

__all__ = ["SCALES", "generate", "plan_videos"]
