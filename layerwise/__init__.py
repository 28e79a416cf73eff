"""The study's nouns: applications, schemes, nets, records, files of a run, and the one training loop."""
