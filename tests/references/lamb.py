"""LAMB in NumPy, slow and simple: the ground truth for the optimizer."""

import numpy as np


class ReferenceLamb:
    """LAMB for one variable in float64, step by step."""

    def __init__(
        self,
        learning_rate,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        weight_decay=0.01,
        bias_correction=True,
        decay=True,
        adapt=True,
    ):
        self.learning_rate = learning_rate
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.weight_decay = weight_decay if decay else 0.0
        self.bias_correction, self.adapt = bias_correction, adapt
        self.m = self.v = 0.0
        self.t = 0

    def step(self, w, g):
        w, g = np.asarray(w, "float64"), np.asarray(g, "float64")
        self.t += 1
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        m, v = self.m, self.v
        if self.bias_correction:
            m = m / (1 - self.beta_1**self.t)
            v = v / (1 - self.beta_2**self.t)
        u = m / (np.sqrt(v) + self.epsilon) + self.weight_decay * w
        ratio = 1.0
        if self.adapt:
            weight_norm, update_norm = np.linalg.norm(w), np.linalg.norm(u)
            if weight_norm > 0 and update_norm > 0:
                ratio = weight_norm / update_norm
        return w - self.learning_rate * ratio * u
