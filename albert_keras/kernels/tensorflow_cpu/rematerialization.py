"""Rematerialization that adds nothing to the gradients of shared weights."""

import tensorflow as tf


def rematerialize(function):
    """Rematerializes a function of x and weights.

    `keras.remat` would add a zero to the gradient of each weight in each call.
    """

    def run(x, weights):
        def compute(x, flat):
            return function(x, tf.nest.pack_sequence_as(weights, flat))

        @tf.custom_gradient
        def rematerialized(x, *flat):
            def gradient(dy):
                # Without this dependency the graph would recompute at once,
                # and keep everything until the backward pass.
                with tf.control_dependencies([dy]):
                    x_again = tf.identity(x)
                with tf.GradientTape() as tape:
                    tape.watch([x_again, *flat])
                    y = compute(x_again, flat)
                return tape.gradient(y, [x_again, *flat], dy)

            return compute(x, flat), gradient

        return rematerialized(x, *tf.nest.flatten(weights))

    return run
