"""Two recorded runs of one's own, held against each other."""
