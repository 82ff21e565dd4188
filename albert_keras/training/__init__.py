"""Training Keras models: exact accumulation, checkpoints and callbacks."""

from albert_keras.training.steps.accumulating_model import AccumulatingModel

__all__ = ["AccumulatingModel"]
