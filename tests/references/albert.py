"""ALBERT's forward pass in NumPy, in the order of the paper.

Takes the weights by name (`weights_by_place`) and loops over rows, layers and
heads; slow and simple.
"""

import math

import numpy as np


def forward(weights, config, inputs):
    """All outputs of the pretraining model, in float64."""
    w = {name: np.asarray(v, "float64") for name, v in weights.items()}
    sequence, pooled, mlm, sop = [], [], [], []
    for row in range(len(inputs["token_ids"])):
        x = embed(w, inputs["token_ids"][row], inputs["segment_ids"][row])
        mask = inputs["padding_mask"][row]
        for layer in range(config.num_layers):
            group = layer * config.num_groups // config.num_layers
            for block in range(config.num_inner_repetitions):
                prefix = f"backbone/encoder/group_{group}_block_{block}"
                x = transformer_block(w, prefix, x, mask, config)
        if config.pre_layer_norm:
            x = layer_norm(w, "backbone/encoder/final_layer_norm", x)
        sequence.append(x)
        pooled.append(np.tanh(dense(w, "backbone/pooler", x[0])))
        h = dense(w, "mlm_head/transform", x[inputs["mask_positions"][row]])
        h = layer_norm(w, "mlm_head/layer_norm", activate(h, config))
        table = w["backbone/embeddings/token_embedding"]
        mlm.append(h @ table.T + w["mlm_head/output_bias"])
        sop.append(dense(w, "sop_head", pooled[-1]))
    return {
        "sequence_output": np.array(sequence),
        "pooled_output": np.array(pooled),
        "mlm_logits": np.array(mlm),
        "sop_logits": np.array(sop),
    }


def embed(w, token_ids, segment_ids):
    prefix = "backbone/embeddings"
    x = (
        w[f"{prefix}/token_embedding"][token_ids]
        + w[f"{prefix}/segment_embedding"][segment_ids]
        + w[f"{prefix}/position_embedding"][: len(token_ids)]
    )
    x = layer_norm(w, f"{prefix}/layer_norm", x)
    return dense(w, f"{prefix}/projection", x)


def transformer_block(w, prefix, x, mask, config):
    if config.pre_layer_norm:
        normed = layer_norm(w, f"{prefix}/attention_layer_norm", x)
        x = x + attention(w, f"{prefix}/self_attention", normed, mask, config)
        normed = layer_norm(w, f"{prefix}/feed_forward_layer_norm", x)
        return x + feed_forward(w, prefix, normed, config)
    attended = attention(w, f"{prefix}/self_attention", x, mask, config)
    x = layer_norm(w, f"{prefix}/attention_layer_norm", x + attended)
    x = x + feed_forward(w, prefix, x, config)
    return layer_norm(w, f"{prefix}/feed_forward_layer_norm", x)


def attention(w, prefix, x, mask, config):
    q, k, v = (
        dense(w, f"{prefix}/{name}", x) for name in ("query", "key", "value")
    )
    width = config.hidden_dim // config.num_heads
    heads = []
    for head in range(config.num_heads):
        part = slice(head * width, (head + 1) * width)
        scores = q[:, part] @ k[:, part].T / math.sqrt(width)
        scores = np.where(mask[None, :] == 1, scores, -np.inf)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        heads.append(e / e.sum(axis=-1, keepdims=True) @ v[:, part])
    return dense(w, f"{prefix}/output", np.concatenate(heads, axis=-1))


def feed_forward(w, prefix, x, config):
    h = activate(dense(w, f"{prefix}/intermediate", x), config)
    return dense(w, f"{prefix}/feed_forward_output", h)


def activate(x, config):
    if config.activation == "relu":
        return np.maximum(x, 0)
    if config.activation == "gelu":
        return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + np.tanh(inner))


def dense(w, prefix, x):
    return x @ w[f"{prefix}/kernel"] + w[f"{prefix}/bias"]


def layer_norm(w, prefix, x, epsilon=1e-12):
    centered = x - x.mean(axis=-1, keepdims=True)
    scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + epsilon)
    return scaled * w[f"{prefix}/gamma"] + w[f"{prefix}/beta"]
