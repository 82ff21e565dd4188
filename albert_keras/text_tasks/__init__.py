"""Texts to rows, and outputs to predictions, for every task; no Keras."""
