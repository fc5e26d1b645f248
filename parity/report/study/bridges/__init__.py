"""The bridges for people and machines: terminal, JSON, pictures and page; computes nothing."""
