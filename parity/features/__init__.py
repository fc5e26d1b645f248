"""What a user runs: one folder a feature, with what it computes, what it shows, and its command."""
