"""Generators of the train_val, deploy and solver prototxt, and the generated files beside them."""
