"""A class in the situations of real training: what it does there (``live``), beside its reference (``judged``)."""
