"""The answers to the questions of the sources, each computed by runs."""
