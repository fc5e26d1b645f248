"""Names of what was measured: each file looks at one link and says what the numbers are, as far as they are known."""
