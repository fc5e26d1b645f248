"""The report of ``parity verify``: terminal, picture, HTML page and JUnit, all from the one JSON document."""
