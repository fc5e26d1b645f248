"""Which settings of one library's optimizer are those of another's, shown by running both."""
