"""A few steps of a run as one would compute them on paper: every formula of the reference, with its numbers inserted.

Nothing is derived a second time. The reference's own functions run on :class:`~parity.features.trace.arithmetic.Traced`
arrays, which keep the operation beside each number; what is shown is what was computed.
"""
