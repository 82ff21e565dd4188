"""ALBERT for Keras: pretrain your own language model, and fine-tune it.

Names are imported at first use (`__init__.pyi` says from where), so that a
process that only reads text loads neither Keras nor its backend.
"""

import lazy_loader

from albert_keras.keras_registry import register_when_keras_is_imported
from albert_keras.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

register_when_keras_is_imported()
