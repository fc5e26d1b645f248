"""λ swept over a range: what a training run ends with at each value, and the λ that each rule would choose."""
