"""Which settings give the losses that a discussion reports for λ = 0 … 10?"""
