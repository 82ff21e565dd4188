"""Launches training jobs on Amazon SageMaker.

Only `model_trainer` and `offline_session` need SageMaker's SDK.
"""
