"""Keras's name for a precision."""


def keras_policy(options):
    """The dtype policy that computes in the precision of the options."""
    precision = options["precision"]
    return "mixed_bfloat16" if precision == "bfloat16" else precision
