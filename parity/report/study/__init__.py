"""Sweeps, traces and bridges as tables, pages and pictures; computes nothing."""
