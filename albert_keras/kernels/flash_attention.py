"""Attention whose scores are never stored (Dao et al. 2022, arXiv:2205.14135).

Under JAX on NVIDIA GPUs, through Keras, which hands it to cuDNN where that has
a kernel for the card and the shape, and else computes the same by XLA.
`keras.config.disable_flash_attention()` turns it off.

Not on TPUs: Keras (3.15) takes attention without a mask for causal there.
"""

import keras
from keras import ops


def has_flash_attention(dtype):
    """Whether `flash_attention` is the way to compute in a type.

    Args:
        dtype: The compute type; cuDNN's kernels are for float16 and bfloat16.
    """
    return (
        keras.config.backend() == "jax"
        and dtype in ("float16", "bfloat16")
        and keras.config.is_flash_attention_enabled() is not False
        and all(
            device.startswith(("gpu", "cuda"))
            for device in keras.distribution.list_devices()
        )
    )


def flash_attention(q, k, v, attention_bias=None):
    """softmax(q k' + bias) v, the softmax in float32.

    Rows without any key to attend to, which nothing reads, may come out
    otherwise than in the plain form.

    Args:
        q, k, v: `(B, N, T, d)`; q may have another T, and is scaled.
        attention_bias: `(B, 1, 1, T)`, 0 for keys to attend to and a large
            negative number for padding; None attends to all.

    Returns:
        `(B, T, N d)`.
    """
    q, k, v = (ops.transpose(x, (0, 2, 1, 3)) for x in (q, k, v))
    batch, length, num_heads, head_dim = ops.shape(q)
    mask = None
    if attention_bias is not None:
        mask = ops.broadcast_to(
            attention_bias > -1.0, (batch, 1, length, ops.shape(k)[1])
        )
    context = ops.dot_product_attention(q, k, v, mask=mask, scale=1.0)
    return ops.reshape(context, (batch, length, num_heads * head_dim))
