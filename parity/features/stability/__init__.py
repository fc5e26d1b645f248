"""Where a run would diverge, and the largest learning rate at which it does not."""
