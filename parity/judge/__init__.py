"""The judge: a recorded trajectory against an experiment, within tolerances that are derived."""

from parity.judge.verdict import Verdict, judge

__all__ = ["Verdict", "judge"]
