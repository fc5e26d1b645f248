"""Ground truth for regularised linear regression: hand-derived NumPy, no autograd, no torch."""
