"""Serves exports over HTTP: texts in, predictions out; imports no Keras."""
