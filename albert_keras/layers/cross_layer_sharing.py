"""Cross-layer parameter sharing (ALBERT paper, section 3.1)."""

import keras

from albert_keras.kernels import kernels_for, reference
from albert_keras.layers.transformer_block import TransformerBlock


class CrossLayerSharingEncoder(keras.layers.Layer):
    """L layers that share the parameters of few blocks.

    Layer l uses the blocks of group floor(l G / L), one after another. The
    paper's models have one group of one block: the same block L times. A
    Keras layer called many times is counted, saved and updated once, so the
    sharing is a plain loop. The parameters are cast to the compute type once
    for all layers.

    Args:
        num_layers: Number of layers L.
        num_heads: Attention heads of every block.
        intermediate_dim: Width of the feed-forward layers.
        num_groups: Groups G; must divide L.
        num_inner_repetitions: Distinct blocks in each group.
        layer_norm_epsilon: Added to the variance.
        pre_layer_norm: Normalize before the sub-layers, and the result once.
        hidden_dropout, attention_dropout, activation, initializer_range: See
            `TransformerBlock`.

    Call arguments:
        x: `(B, T, H)`.
        padding_mask: `(B, T)`, 1 = attend, 0 = padding; None attends to all.
        positions: Integers `(B, P)`: what the last layer computes. None is
            every position.

    Returns:
        `(B, T, H)`, or `(B, P, H)` at the positions.

    Attributes:
        remat: Whether training keeps no more of a block than its input, and
            computes the block again for the gradient (rematerialization,
            Chen et al. 2016, arXiv:1604.06174). False to begin with.
    """

    remat = False

    def __init__(
        self,
        num_layers,
        num_heads,
        intermediate_dim,
        num_groups=1,
        num_inner_repetitions=1,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-12,
        initializer_range=0.02,
        pre_layer_norm=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_layers % num_groups:
            raise ValueError(
                "`num_layers` must be divisible by `num_groups`. Received: "
                f"num_layers={num_layers}, num_groups={num_groups}."
            )
        self.num_layers = num_layers
        self.num_groups = num_groups
        self.num_inner_repetitions = num_inner_repetitions
        self.pre_layer_norm = pre_layer_norm
        self.layer_norm_epsilon = layer_norm_epsilon
        self.block_config = dict(
            num_heads=num_heads,
            intermediate_dim=intermediate_dim,
            hidden_dropout=hidden_dropout,
            attention_dropout=attention_dropout,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
            initializer_range=initializer_range,
            pre_layer_norm=pre_layer_norm,
        )
        # One flat list: Keras 3.12 does not save layers in lists of lists.
        self.blocks = [
            TransformerBlock(
                **self.block_config,
                dtype=self.dtype_policy,
                name=f"group_{group}_block_{block}",
            )
            for group in range(num_groups)
            for block in range(num_inner_repetitions)
        ]
        self.final_layer_norm = None
        if pre_layer_norm:
            self.final_layer_norm = keras.layers.LayerNormalization(
                epsilon=layer_norm_epsilon,
                dtype=self.dtype_policy,
                name="final_layer_norm",
            )

    def build(self, input_shape, padding_mask_shape=None, positions_shape=None):
        for block in self.blocks:
            block.build(input_shape)
        if self.final_layer_norm is not None:
            self.final_layer_norm.build(input_shape)

    def call(self, x, padding_mask=None, positions=None, training=False):
        kernels = kernels_for(training)
        sequences = self._sequences_of(x, padding_mask, kernels, training)
        rows = None if positions is None else sequences.rows_at(positions)
        sequence = [
            block
            for layer in range(self.num_layers)
            for block in self.blocks_of(layer)
        ]
        weights = {
            block: iter(block.weights_for(sequence.count(block), kernels))
            for block in self.blocks
        }
        x = sequences.enter(x)
        for number, block in enumerate(sequence, start=1):
            is_last = number == len(sequence)
            x = self._apply(
                block,
                x,
                sequences.attention_bias,
                next(weights[block]),
                kernels,
                training,
                rows if is_last else None,
            )
        if self.final_layer_norm is not None:
            x = self.final_layer_norm(x)
        return sequences.leave(x) if positions is None else x

    def _sequences_of(self, x, padding_mask, kernels, training):
        # Dropping probabilities needs the reference form of attention, which
        # takes padded sequences.
        if training and self.block_config["attention_dropout"]:
            kernels = reference
        return kernels.sequences_of(x, padding_mask)

    def _apply(
        self, block, x, attention_bias, weights, kernels, training, rows
    ):
        def apply(x, weights):
            return block.apply(
                x, attention_bias, weights, kernels, training, rows
            )

        if self.remat and training:
            apply = kernels.rematerialize(apply)
        return apply(x, weights)

    def blocks_of(self, layer):
        """The blocks that a layer, counted from 0, applies in turn."""
        group = layer * self.num_groups // self.num_layers
        first = group * self.num_inner_repetitions
        return self.blocks[first : first + self.num_inner_repetitions]

    def compute_output_shape(
        self, input_shape, padding_mask_shape=None, positions_shape=None
    ):
        if positions_shape is None:
            return input_shape
        return (*positions_shape, input_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "num_groups": self.num_groups,
            "num_inner_repetitions": self.num_inner_repetitions,
            **self.block_config,
        }
