"""Cross-layer parameter sharing (ALBERT paper, section 3.1)."""

import keras

from albert_keras.kernels import choose_kernels, reference
from albert_keras.layers.transformer_block import TransformerBlock


class CrossLayerSharingEncoder(keras.layers.Layer):
    """L layers that share the parameters of a few blocks.

    Layer l applies the blocks of group floor(l G / L), in order. The paper's
    models have one group of one block: the same block L times. Sharing is a
    plain loop, since a Keras layer that is called many times is counted, saved
    and updated once. The parameters are cast to the compute type once for all
    layers.

    Args:
        num_layers: Number of layers L.
        num_heads: Number of attention heads of every block.
        intermediate_dim: Width of the feed-forward layers.
        num_groups: Number of groups G; must divide L.
        num_inner_repetitions: Distinct blocks in each group.
        layer_norm_epsilon: Added to the variance.
        pre_layer_norm: Whether to normalize before each sub-layer, and once
            after the last layer.
        hidden_dropout, attention_dropout, activation, initializer_range: See
            `TransformerBlock`.

    Call arguments:
        x: `(B, T, H)`.
        padding_mask: `(B, T)`, 1 = attend, 0 = padding; None attends to all.
        positions: Integers `(B, P)`: the positions that the last layer
            computes; None computes all.
        output_hidden_states: Whether to return the input of the first layer
            and the output of every layer, too.
        output_attentions: Whether to return the attention probabilities of
            every block that is applied, before dropout, too. Then the encoder
            uses the reference kernels and no `remat`.

    Returns:
        `(B, T, H)`, or `(B, P, H)` with `positions`. At padding it depends on
        the kernels, except at the first position of a row, which poolers
        read; `AlbertBackbone` makes its outputs 0 there. If more is requested,
        a tuple of it, a list of hidden states `(B, T, H)`, and a list of
        probabilities `(B, N, T, T)`; the lists may be empty.

    Raises:
        ValueError: If `num_groups` does not divide `num_layers`, or see
            `TransformerBlock`.

    Attributes:
        remat: Whether training rematerializes each block: stores only its
            input and recomputes it in the backward pass (Chen et al. 2016,
            arXiv:1604.06174). False by default.
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

    def call(
        self,
        x,
        padding_mask=None,
        positions=None,
        training=False,
        output_hidden_states=False,
        output_attentions=False,
    ):
        kernels = choose_kernels(self.compute_dtype)
        if output_attentions:
            kernels = reference
        layout = self._sequence_layout(x, padding_mask, kernels, training)
        rows = None if positions is None else layout.rows_at(positions)

        # Each block casts its weights once, for all of its applications.
        applications = [
            block
            for layer in range(self.num_layers)
            for block in self.blocks_of(layer)
        ]
        weights = {
            block: iter(block.weights_for(applications.count(block), kernels))
            for block in self.blocks
        }

        hidden_states, probabilities = [x], [] if output_attentions else None
        x = layout.pack(x)
        for number, block in enumerate(applications, start=1):
            is_last = number == len(applications)
            x = self._apply(
                block,
                x,
                next(weights[block]),
                attention_bias=layout.attention_bias,
                kernels=kernels,
                training=training,
                rows=rows if is_last else None,
                probabilities=probabilities,
            )
            ends_layer = number % self.num_inner_repetitions == 0
            if output_hidden_states and ends_layer and not is_last:
                hidden_states.append(layout.unpack(x))
        if self.final_layer_norm is not None:
            x = self.final_layer_norm(x)
        x = layout.unpack(x) if positions is None else x
        if not (output_hidden_states or output_attentions):
            return x
        hidden_states = [*hidden_states, x] if output_hidden_states else []
        return x, hidden_states, probabilities or []

    def _sequence_layout(self, x, padding_mask, kernels, training):
        # Dropping probabilities needs the reference form of attention, which
        # takes padded sequences.
        if training and self.block_config["attention_dropout"]:
            kernels = reference
        return kernels.sequence_layout(x, padding_mask)

    def _apply(self, block, x, weights, **arguments):
        def apply(x, weights):
            return block.apply(x, weights=weights, **arguments)

        keeps = arguments["probabilities"] is not None
        if self.remat and arguments["training"] and not keeps:
            apply = arguments["kernels"].rematerialize(apply)
        return apply(x, weights)

    def blocks_of(self, layer):
        """Returns the blocks that a layer, counted from 0, applies in order."""
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
