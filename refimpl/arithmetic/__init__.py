"""Number types that the formulas run in besides floats: exact rationals, values with a rounding bound."""
