"""Keras's dtype policies by a benchmark's precision."""


def keras_policy(options):
    """Returns the dtype policy that computes in the options' precision."""
    precision = options["precision"]
    return "mixed_bfloat16" if precision == "bfloat16" else precision
