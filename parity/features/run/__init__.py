"""Experiments in the reference and in torch, compared step by step."""
