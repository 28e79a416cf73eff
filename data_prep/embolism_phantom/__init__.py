"""A phantom of CT pulmonary angiography: chests made by rule, with emboli, their masks, and what is mistaken for them.

chest (body, lungs, bones, mediastinum) and vessels (heart, great vessels, and the trees that tree grows) are shapes in
millimetres; emboli fills arteries, distractors adds nodes, poor mixing and sick lung; scanner turns the shapes' numbers
into a reconstruction with its blur, noise, streaks and motion; patient joins these, write puts them on disk. It shows
nothing about real patients: numbers measured on it are about the path from volumes to curve, not about medicine. Ranges
and strengths that carry no comment of their own were chosen by eye, for slices that look like a CT angiography.

Points are (z, y, x) in mm: z up, y to the back, x to the patient's left, 0 where the pulmonary trunk divides.
"""

from data_prep.embolism_phantom.write import SCALES, generate, plan_patients

__all__ = ["SCALES", "generate", "plan_patients"]
