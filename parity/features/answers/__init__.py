"""The answers to the questions of the lessons, each computed by runs."""
