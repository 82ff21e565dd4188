"""Layer normalization, with the bias and the residual added first."""

import tensorflow as tf

from albert_keras.kernels.tensorflow_cpu.compilation import operations


def add_layer_norm(x, bias, residual, gamma, beta, epsilon):
    @tf.custom_gradient
    def run(x, bias, residual, gamma, beta):
        y, statistics = operations().albert_add_layer_norm(
            x, bias, residual, gamma, beta, epsilon=epsilon
        )

        def gradient(dy):
            dx, dbias, dgamma, dbeta = operations().albert_add_layer_norm_grad(
                x, bias, residual, gamma, statistics, dy
            )
            return dx, dbias, dx, dgamma, dbeta  # residual's is that of x

        return y, gradient

    return run(x, bias, residual, gamma, beta)
