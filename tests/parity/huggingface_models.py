"""Hugging Face's models with random weights, and their outputs.

Requires PyTorch and transformers, see `make test-parity`.
"""

import numpy as np
import torch
import transformers

from tests.parity.cases import CASES

# Our names by Hugging Face's names of outputs.
OUTPUTS = {
    "last_hidden_state": "sequence_output",
    "pooler_output": "pooled_output",
    "prediction_logits": "mlm_logits",
    "sop_logits": "sop_logits",
    "start_logits": "start_logits",
    "end_logits": "end_logits",
    "logits": "logits",
}


def make_model(class_name, values, scale=0.4):
    """Makes a model with random parameters, including biases and norms."""
    torch.manual_seed(0)
    config = transformers.AlbertConfig(**values)
    model = getattr(transformers, class_name)(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn_like(parameter) * scale
            is_gamma = name.endswith("LayerNorm.weight") or name.endswith(
                "full_layer_layer_norm.weight"
            )
            parameter.copy_(1 + noise if is_gamma else noise)
    return model


def make_case(name):
    class_name, _, values = CASES[name]
    return make_model(class_name, values)


def outputs_of(model, inputs):
    """Outputs as NumPy arrays by our names, including hidden states."""
    tensors = {
        "input_ids": torch.from_numpy(inputs["token_ids"]).long(),
        "token_type_ids": torch.from_numpy(inputs["segment_ids"]).long(),
        "attention_mask": torch.from_numpy(inputs["padding_mask"]).long(),
    }
    with torch.no_grad():
        outputs = model(**tensors, output_hidden_states=True)
    arrays = {
        ours: outputs[theirs].numpy()
        for theirs, ours in OUTPUTS.items()
        if theirs in outputs
    }
    if "MaskedLM" in type(model).__name__:
        arrays["mlm_logits"] = arrays.pop("logits")
    arrays["hidden_states"] = np.stack(
        [state.numpy() for state in outputs["hidden_states"]]
    )
    return arrays
