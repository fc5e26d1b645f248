"""Exact solutions, found without running the recursion: the reference itself answers to them."""
