"""Holds PyTorch's training step to a hand-derived reference, within tolerances that are derived."""
