"""The report of ``parity power``: terminal, page and picture, all from the one JSON document."""
