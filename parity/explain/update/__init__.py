"""What an optimizer update did where it is not what was asked, from gradients that are known."""

from parity.explain.update.explain import UpdateExplanation, explain_update
from parity.explain.update.proof import ProvenUpdate

__all__ = ["ProvenUpdate", "UpdateExplanation", "explain_update"]
