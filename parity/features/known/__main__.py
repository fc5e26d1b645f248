"""``python -m parity.features.known > docs/known-deviations.md``."""

from parity.features.known.page import page

print(page(), end="")
