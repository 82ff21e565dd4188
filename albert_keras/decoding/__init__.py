"""Decodes logits into answers: spans of texts, entities, tokens of masks."""
