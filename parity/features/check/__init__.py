"""Anybody's optimizer class, training function or log, held to the reference."""
