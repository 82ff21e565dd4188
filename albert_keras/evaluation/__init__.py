"""Metrics and predictions of trained models."""
