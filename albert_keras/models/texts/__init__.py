"""Texts in, predictions out: what each model makes of texts."""
