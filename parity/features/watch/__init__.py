"""The live check of any torch optimizer in any training: ``parity.watch``."""
