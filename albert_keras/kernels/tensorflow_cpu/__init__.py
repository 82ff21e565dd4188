"""The kernels for TensorFlow on a CPU, see `plain`.

Each is one operation of our own forward and one backward (`source/`, compiled
by `library`), with the large products left to oneDNN but where ours are faster
(`products`). Gradients are written out, and read no more than was kept; what
is wide and cheap is computed again.
"""

from albert_keras.kernels.tensorflow_cpu.attention import self_attention
from albert_keras.kernels.tensorflow_cpu.cross_entropy import (
    sparse_accuracy,
    sparse_cross_entropy,
    vocabulary_logits,
)
from albert_keras.kernels.tensorflow_cpu.feed_forward import feed_forward
from albert_keras.kernels.tensorflow_cpu.matmul import (
    project,
    share,
    share_kernel,
)
from albert_keras.kernels.tensorflow_cpu.normalization import add_layer_norm
from albert_keras.kernels.tensorflow_cpu.packed_sequences import sequences_of
from albert_keras.kernels.tensorflow_cpu.rematerialization import (
    rematerialize,
)

__all__ = [
    "add_layer_norm",
    "feed_forward",
    "project",
    "rematerialize",
    "self_attention",
    "sequences_of",
    "share",
    "share_kernel",
    "sparse_accuracy",
    "sparse_cross_entropy",
    "vocabulary_logits",
]
