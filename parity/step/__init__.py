"""The reference's training step in any arithmetic, with any of its parts replaced: judge and explanation use it."""
