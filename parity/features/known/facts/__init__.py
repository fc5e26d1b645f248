"""One fact about torch a file: ``FACT``, with its reproduction."""
