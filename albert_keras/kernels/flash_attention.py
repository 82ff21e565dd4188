"""Attention that never stores its scores (Dao et al. 2022, arXiv:2205.14135).

For JAX on NVIDIA GPUs, through Keras, which calls cuDNN if it has a kernel for
the card and the shape and otherwise lets XLA compute the same.
`keras.config.disable_flash_attention()` turns it off.

Not for TPUs: there Keras (3.15) treats attention without a mask as causal.
"""

import keras
from keras import ops


def has_flash_attention(dtype):
    """Whether attention in this type should use `flash_attention`.

    Args:
        dtype: The compute type; cuDNN has kernels for float16 and bfloat16.
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
    """softmax(q k' + bias) v, with the softmax in float32.

    Args:
        q, k, v: `(B, N, T, d)`; q may have another T, and is already scaled.
        attention_bias: `(B, 1, 1, T)`, 0 for keys to attend to and a large
            negative number for padding; None attends to all. Every row has
            a key to attend to.

    Returns:
        `(B, T, N d)`, with the T of q.
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
