"""A training function, an optimizer class or a log held to an experiment: what is shown of it, and its command."""
