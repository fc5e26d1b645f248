"""``python -m refimpl.conventions``: the table of docs/conventions.md."""

from refimpl.conventions.table import markdown

if __name__ == "__main__":
    print(markdown(), end="")
