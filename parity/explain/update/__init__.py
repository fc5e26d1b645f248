"""What an optimizer update did where it is not what was asked, from gradients that are known."""

from parity.explain.update.explain import UpdateExplanation, explain_update
from parity.explain.update.proof import Explanation

__all__ = ["Explanation", "UpdateExplanation", "explain_update"]
