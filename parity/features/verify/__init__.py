"""The matrix of ``parity verify``: every torch optimizer, option, implementation, dtype and situation."""
