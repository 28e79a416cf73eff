"""A phantom of complete colonoscopies for telling informative frames from others: one frame every five seconds.

The colon, the lens and the scope are the polyp phantom's. What spoils a frame is added here: severity decides how much
of what, artefacts are what lies between lens and wall or happens in the camera, video joins them, write puts frames on
disk. It shows nothing about real patients. Strengths that carry no comment of their own were chosen by eye.
"""

from data_prep.frames_phantom.write import SCALES, generate, plan_videos

__all__ = ["SCALES", "generate", "plan_videos"]
