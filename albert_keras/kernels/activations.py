"""The activations of ALBERT's configurations, by name."""

from keras import ops


def get_activation(name):
    """Returns the function that an `AlbertConfig.activation` names.

    `"gelu_tanh"` is 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), which
    Google's configurations call "gelu". `"gelu"` is x Phi(x), where Phi is the
    exact normal distribution function (Hendrycks and Gimpel 2016,
    arXiv:1606.08415). They differ by at most 4.73e-4. `"relu"` is max(x, 0).

    Args:
        name: `"gelu_tanh"`, `"gelu"` or `"relu"`.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {tuple(_ACTIVATIONS)}. "
            f"Received: {name!r}."
        )
    return _ACTIVATIONS[name]


def _gelu_tanh(x):
    return ops.gelu(x, approximate=True)


def _gelu(x):
    return ops.gelu(x, approximate=False)


_ACTIVATIONS = {"gelu_tanh": _gelu_tanh, "gelu": _gelu, "relu": ops.relu}
