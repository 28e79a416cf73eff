"""From scores to curves, intervals, operating points, figures and the report. Imports neither torch nor an engine."""
