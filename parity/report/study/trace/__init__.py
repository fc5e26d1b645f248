"""A trace for people: in the terminal, as Markdown and as HTML."""

from parity.report.study.trace.pages import prepare, to_html, to_markdown, write_all
from parity.report.study.trace.terminal import print_trace

__all__ = ["prepare", "print_trace", "to_html", "to_markdown", "write_all"]
