"""Training Keras models: exact accumulation, checkpoints and callbacks."""

from albert_keras.training.accumulating_model import AccumulatingModel

__all__ = ["AccumulatingModel"]
