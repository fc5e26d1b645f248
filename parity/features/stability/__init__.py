"""The prediction of whether a run diverges, and of the largest learning rate at which it does not."""
