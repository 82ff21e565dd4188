from .steps.accumulating_model import AccumulatingModel

__all__ = ["AccumulatingModel"]
