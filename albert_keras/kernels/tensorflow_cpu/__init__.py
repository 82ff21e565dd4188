"""Fused kernels for TensorFlow on a CPU, equal to those of `reference`.

Each is one custom operation forward and one backward (`csrc/`, compiled by
`compilation`). Large matrix products use oneDNN, except where the operations
of `csrc/` are faster (`matmul`). Gradients are written by hand: they store
little, and recompute wide tensors that are cheap to compute.
"""

from albert_keras.kernels.tensorflow_cpu.attention import self_attention
from albert_keras.kernels.tensorflow_cpu.cross_entropy import (
    sparse_accuracy,
    sparse_cross_entropy,
    vocabulary_logits,
)
from albert_keras.kernels.tensorflow_cpu.feed_forward import feed_forward
from albert_keras.kernels.tensorflow_cpu.matmul import (
    matrix_views,
    project,
    weight_views,
)
from albert_keras.kernels.tensorflow_cpu.normalization import add_layer_norm
from albert_keras.kernels.tensorflow_cpu.packed_sequences import (
    sequence_layout,
)
from albert_keras.kernels.tensorflow_cpu.rematerialization import (
    rematerialize,
)

__all__ = [
    "add_layer_norm",
    "feed_forward",
    "matrix_views",
    "project",
    "rematerialize",
    "self_attention",
    "sequence_layout",
    "sparse_accuracy",
    "sparse_cross_entropy",
    "vocabulary_logits",
    "weight_views",
]
