"""How good the judge is, measured: false alarms, the kill matrix, causes named, smallest detectable faults."""
