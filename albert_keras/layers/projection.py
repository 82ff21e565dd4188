"""A linear layer whose parameters a block passes to its kernels."""

import keras
from keras import ops

from albert_keras.layers.initializers import albert_initializer


class Projection(keras.layers.Layer):
    """x W + b, like `keras.layers.Dense`, without autocasting its variables.

    ALBERT's layers share the variables, and the encoder casts them once for
    all layers (`TransformerBlock.weights_for`). As in `Dense`, `enable_lora`
    adds an update of low rank to W, and `quantize` stores W as int8. Either
    way `kernel` is the resulting W in floats, once for all layers, so that the
    fused kernels apply; the inputs are not quantized.

    Args:
        units: Width of the output.
        initializer_range: Standard deviation of the truncated normal
            initializer.

    Call arguments:
        inputs: `(..., H)`.

    Returns:
        `(..., units)`, in the compute type.
    """

    def __init__(self, units, initializer_range=0.02, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.initializer_range = initializer_range
        self.lora_enabled = False
        self.lora_rank = self.lora_alpha = None

    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        if self.quantization_mode == "int8":
            self._add_quantized_kernel(shape)
        else:
            self._kernel = self.add_weight(
                shape=shape,
                initializer=albert_initializer(self.initializer_range),
                autocast=False,
                name="kernel",
            )
        self.bias = self.add_weight(
            shape=(self.units,),
            initializer="zeros",
            autocast=False,
            name="bias",
        )

    @property
    def kernel(self):
        """W `(H, units)` in floats, with LoRA's update."""
        kernel = self._kernel
        if self.quantization_mode == "int8":
            kernel = ops.cast(kernel, self.variable_dtype) / self.kernel_scale
        if not self.lora_enabled:
            return kernel
        update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
        update = (self.lora_alpha / self.lora_rank) * update
        return ops.cast(ops.add(kernel, update), self.variable_dtype)

    def call(self, inputs):
        kernel = ops.cast(self.kernel, self.compute_dtype)
        return ops.matmul(inputs, kernel) + ops.cast(
            self.bias, self.compute_dtype
        )

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    # === Low-rank adaptation ===

    def enable_lora(
        self,
        rank,
        lora_alpha=None,
        a_initializer="he_uniform",
        b_initializer="zeros",
    ):
        """Freezes W and trains an update (alpha / rank) A B instead.

        LoRA (Hu et al. 2021, arXiv:2106.09685), with the arguments of
        `keras.layers.Dense.enable_lora`. B starts at zero.

        Raises:
            ValueError: If the layer is not built or has an update already.
        """
        if not self.built or self.lora_enabled:
            state = "has LoRA already" if self.built else "is not built"
            raise ValueError(
                f"LoRA needs a built layer without it. Received: {self.name}, "
                f"which {state}."
            )
        self._tracker.unlock()
        self.lora_kernel_a, self.lora_kernel_b = (
            self.add_weight(
                shape=shape,
                initializer=initializer,
                dtype="float32",
                autocast=False,
                name=name,
            )
            for name, shape, initializer in (
                ("lora_kernel_a", (self._kernel.shape[0], rank), a_initializer),
                ("lora_kernel_b", (rank, self.units), b_initializer),
            )
        )
        self._kernel.trainable = False
        self._tracker.lock()
        self.lora_enabled = True
        self.lora_rank = rank
        self.lora_alpha = rank if lora_alpha is None else lora_alpha

    # === Quantization ===

    def quantize(self, mode=None, type_check=True, config=None):
        """Stores W as int8 with a float scale per column.

        The arguments are those of `keras.layers.Dense.quantize`.

        Raises:
            NotImplementedError: If the mode is not "int8".
        """
        if mode != "int8":
            raise NotImplementedError(
                f"{type(self).__name__} supports only the mode 'int8'. "
                f"Received: {mode!r}."
            )
        values, scale = _quantized(
            self._kernel, getattr(config, "weight_quantizer", None)
        )
        self._untrack_variable(self._kernel)  # `del` collects garbage, slowly
        self._add_quantized_kernel(self._kernel.shape)
        self._kernel.assign(values)
        self.kernel_scale.assign(scale)
        if self.quantization_mode is None:
            self.dtype_policy = keras.dtype_policies.get(
                f"int8_from_{self.dtype_policy.name}"
            )

    def _add_quantized_kernel(self, shape):
        self._kernel = self.add_weight(
            shape=shape,
            initializer="zeros",
            dtype="int8",
            trainable=False,
            autocast=False,
            name="kernel",
        )
        self.kernel_scale = self.add_weight(
            shape=(self.units,),
            initializer="ones",
            trainable=False,
            autocast=False,
            name="kernel_scale",
        )
        self._is_quantized = True  # for Keras

    def _int8_call(self, inputs):
        return self.call(inputs)  # `kernel` is scaled back

    # === Saving with Keras ===

    def save_own_variables(self, store):
        """Saves W with LoRA's update, b, and the scale, as `Dense` does."""
        kernel, scale = self._kernel, getattr(self, "kernel_scale", None)
        if self.lora_enabled:
            kernel = self.kernel
            if scale is not None:
                kernel, scale = _quantized(kernel)
        store["0"], store["1"] = kernel, self.bias
        if scale is not None:
            store["2"] = scale

    def load_own_variables(self, store):
        variables = [self._kernel, self.bias]
        if self.quantization_mode == "int8":
            variables.append(self.kernel_scale)
        if len(store.keys()) != len(variables):
            raise ValueError(
                f"The layer {self.name} has {len(variables)} variables to "
                f"load, the file {len(store.keys())}. Quantize the model in "
                "the same way as the one that was saved."
            )
        for index, variable in enumerate(variables):
            variable.assign(store[str(index)])
        if self.lora_enabled:  # its update is part of the saved kernel
            self.lora_kernel_b.assign(ops.zeros_like(self.lora_kernel_b))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "initializer_range": self.initializer_range,
        }


def _quantized(kernel, quantizer=None):
    """Returns int8 values and the scale `(units,)` of a kernel."""
    quantizer = quantizer or keras.quantizers.AbsMaxQuantizer(axis=0)
    values, scale = quantizer(ops.cast(kernel, "float32"))
    return values, ops.squeeze(scale, axis=0)
