"""The links of a training step, measured from its record: one file a link."""
