"""A sweep over λ as table, sentences, picture and files."""
