"""Wrong losses, penalties, optimizers and twists of the gradient, written as the right ones are."""
