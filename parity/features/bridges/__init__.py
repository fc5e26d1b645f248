"""Statements that join two ideas of the field, each with its proof and its numbers."""
