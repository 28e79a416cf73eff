"""The rivals without a net: what each application was solved with before, one module per application."""
