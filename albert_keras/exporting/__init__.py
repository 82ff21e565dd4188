"""Writes models in the formats of other runtimes, and compares them there."""
