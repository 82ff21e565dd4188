"""Launching training jobs on Amazon SageMaker.

Nothing here needs SageMaker's SDK until a request is made.
"""
