"""``parity verify --ranks N``: reductions over ranks, held to what they must be."""
