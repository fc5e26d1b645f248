"""Which optimizers of which libraries make the same steps: every cell is a run."""
