"""Functions of x and weights that are computed again for their gradient."""

import tensorflow as tf


def rematerialize(function):
    """As `keras.remat`, which would add a zero to each weight for each call."""

    def run(x, weights):
        def value(x, flat):
            return function(x, tf.nest.pack_sequence_as(weights, flat))

        @tf.custom_gradient
        def compute(x, *flat):
            def gradient(dy):
                # Else the graph would compute it right after the first time.
                with tf.control_dependencies([dy]):
                    again = tf.identity(x)
                with tf.GradientTape() as tape:
                    tape.watch([again, *flat])
                    y = value(again, flat)
                return tape.gradient(y, [again, *flat], dy)

            return value(x, flat), gradient

        return compute(x, *tf.nest.flatten(weights))

    return run
