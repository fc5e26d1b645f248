"""``python -m parity.known > docs/known-deviations.md``."""

from parity.known.page import page

print(page(), end="")
