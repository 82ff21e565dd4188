"""Decodes logits into answers: the spans of texts, entities of tags."""
