"""From raw files to candidates, splits, patches and LMDB. Imports neither torch nor an engine."""
