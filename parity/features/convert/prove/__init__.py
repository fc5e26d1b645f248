"""Whether a conversion is true: each library is run on the same data and held to the exact minimiser.

Imports torch, JAX, scikit-learn and the others, each inside the function that runs it.
"""
