"""Formula-driven images: the pictures the embedded source net was pre-trained on, made from equations and a seed."""
