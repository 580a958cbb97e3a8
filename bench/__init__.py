"""Measurements: what the engine does per second, beside what it is compared with, in the same run."""
