"""A diagnosis for people, for machines, and as a picture."""
