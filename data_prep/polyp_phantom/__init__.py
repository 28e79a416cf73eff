"""A phantom of colonoscopy: videos made by rule, with polyps, their masks, and what is mistaken for them.

lumen (the wall's shape) and mucosa (its skin) are maps over depth and angle; polyps and distractors add solids and
paint; patient joins these; camera moves, render sends rays, optics and overlay make a recording of it; video yields its
frames and write puts them on disk. It shows nothing about real patients: numbers measured on it are about the path
from frames to curve, not about medicine. Ranges and strengths that carry no comment of their own were chosen by eye,
for frames that look like a colonoscopy.
"""

from data_prep.polyp_phantom.write import SCALES, generate, plan_videos

__all__ = ["SCALES", "generate", "plan_videos"]
