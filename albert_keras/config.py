"""The architecture of an ALBERT model, as one validated value."""

import dataclasses
from typing import Any

ACTIVATIONS = ("gelu_tanh", "gelu", "relu")


@dataclasses.dataclass(frozen=True)
class AlbertConfig:
    """Architecture of an ALBERT model (Lan et al. 2019, arXiv:1909.11942).

    The paper's symbols are E (`embedding_dim`), H (`hidden_dim`),
    L (`num_layers`) and V (`vocabulary_size`).

    Attributes:
        vocabulary_size: Number of tokens V.
        num_layers: Number of layers L. Each applies `num_inner_repetitions`
            blocks.
        num_heads: Number of attention heads; must divide `hidden_dim`. No
            shape depends on it, so weights load even if it is wrong.
        embedding_dim: Width E of the factorized embeddings.
        hidden_dim: Width H of the encoder.
        intermediate_dim: Width of the feed-forward layer, 4H in the paper.
        num_groups: Number of groups of layers that share parameters; must
            divide `num_layers` (paper: 1).
        num_inner_repetitions: Number of distinct blocks that each layer
            applies in order (`inner_group_num` of Google's configuration;
            paper: 1).
        hidden_dropout: Dropout rate after embeddings, attention output and
            feed-forward output.
        attention_dropout: Dropout rate of the attention probabilities.
        max_sequence_length: Number of learned positions.
        num_segments: Number of segment embeddings.
        activation: `"gelu_tanh"` (Google's "gelu", all released English
            models), `"gelu"` (exact, with erf) or `"relu"`.
        layer_norm_epsilon: 1e-12 in every released ALBERT.
        initializer_range: Standard deviation of the truncated normal
            initializer.
        pre_layer_norm: Whether to normalize before each sub-layer, and once
            after the last layer, instead of after each sub-layer. Not in the
            paper; it trains more easily from scratch with small batches
            (Xiong et al. 2020, arXiv:2002.04745).

    Raises:
        ValueError: If a value is out of range, or one does not divide another
            as it must.
    """

    vocabulary_size: int = 30000
    num_layers: int = 12
    num_heads: int = 12
    embedding_dim: int = 128
    hidden_dim: int = 768
    intermediate_dim: int = 3072
    num_groups: int = 1
    num_inner_repetitions: int = 1
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    max_sequence_length: int = 512
    num_segments: int = 2
    activation: str = "gelu_tanh"
    layer_norm_epsilon: float = 1e-12
    initializer_range: float = 0.02
    pre_layer_norm: bool = False

    def __post_init__(self):
        for name, kind in _COUNTS_AND_RATES.items():
            kind(name, getattr(self, name))
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                "`hidden_dim` must be divisible by `num_heads`. Received: "
                f"hidden_dim={self.hidden_dim}, num_heads={self.num_heads}. "
                "The released models have heads of 64 (xlarge: 128) units."
            )
        if self.num_layers % self.num_groups:
            raise ValueError(
                "`num_layers` must be divisible by `num_groups`. Received: "
                f"num_layers={self.num_layers}, num_groups={self.num_groups}."
            )
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {ACTIVATIONS}. "
                f"Received: {self.activation!r}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields as a dictionary that can be written as JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "AlbertConfig":
        """Creates a configuration from `to_dict()`.

        Raises:
            ValueError: If a key is unknown, or see the class.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(
                f"Unknown configuration keys: {unknown}. Known keys: "
                f"{sorted(known)}."
            )
        return cls(**values)

    @classmethod
    def from_size(
        cls, size: str, version: int = 2, **overrides: Any
    ) -> "AlbertConfig":
        """Returns the configuration of a named size.

        Args:
            size: `"tiny"`, `"mini"`, `"small"`, `"base"`, `"large"`,
                `"xlarge"` or `"xxlarge"`.
            version: 1 or 2. They differ only in dropout: version 1 has 0.1
                for all sizes but xxlarge, version 2 has none.
            **overrides: Fields to replace.

        Raises:
            ValueError: If the size or the version is unknown.
        """
        if size not in SIZES:
            raise ValueError(
                f"`size` must be one of {sorted(SIZES)}. Received: {size!r}."
            )
        if version not in (1, 2):
            raise ValueError(
                f"`version` must be 1 or 2. Received: {version!r}."
            )
        values = dict(SIZES[size])
        if version == 1 and size != "xxlarge":
            values.update(hidden_dropout=0.1, attention_dropout=0.1)
        return cls(**{**values, **overrides})

    @classmethod
    def base(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("base", version, **overrides)

    @classmethod
    def large(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("large", version, **overrides)

    @classmethod
    def xlarge(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("xlarge", version, **overrides)

    @classmethod
    def xxlarge(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("xxlarge", version, **overrides)

    @classmethod
    def small(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("small", version, **overrides)

    @classmethod
    def mini(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("mini", version, **overrides)

    @classmethod
    def tiny(cls, version: int = 2, **overrides: Any) -> "AlbertConfig":
        return cls.from_size("tiny", version, **overrides)


# Base to xxlarge are the released configurations. (The released xlarge has 16
# heads of 128; the paper's rule H / 64 would give 32.) Small, mini
# and tiny are this package's, for a workstation and for a laptop; mini has
# BERT-Mini's depth, width and heads (Turc et al. 2019, arXiv:1908.08962), tiny
# has BERT-Tiny's depth and width and twice its heads. Their
# initializer ranges are larger by sqrt(768 / H), so that activations of a
# narrow model are as large as those of base. With it AdamW leaves the plateau
# much sooner; LAMB, whose steps are relative to the weights, does not change
# (measured with tiny on the demo corpus).
SIZES: dict[str, dict] = {
    "tiny": dict(
        num_layers=2, num_heads=4, hidden_dim=128, intermediate_dim=512,
        initializer_range=0.05,
    ),
    "mini": dict(
        num_layers=4, num_heads=4, hidden_dim=256, intermediate_dim=1024,
        initializer_range=0.035,
    ),
    "small": dict(
        num_layers=6, num_heads=6, hidden_dim=384, intermediate_dim=1536,
        initializer_range=0.028,
    ),
    "base": dict(
        num_layers=12, num_heads=12, hidden_dim=768, intermediate_dim=3072
    ),
    "large": dict(
        num_layers=24, num_heads=16, hidden_dim=1024, intermediate_dim=4096
    ),
    "xlarge": dict(
        num_layers=24, num_heads=16, hidden_dim=2048, intermediate_dim=8192
    ),
    "xxlarge": dict(
        num_layers=12, num_heads=64, hidden_dim=4096, intermediate_dim=16384
    ),
}  # fmt: skip


def _positive_integer(name, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {value!r}."
        )


def _rate(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"`{name}` must be in [0, 1). Received: {value!r}.")


def _positive(name, value):
    if not value > 0:
        raise ValueError(f"`{name}` must be positive. Received: {value!r}.")


_COUNTS_AND_RATES = {
    "vocabulary_size": _positive_integer,
    "num_layers": _positive_integer,
    "num_heads": _positive_integer,
    "embedding_dim": _positive_integer,
    "hidden_dim": _positive_integer,
    "intermediate_dim": _positive_integer,
    "num_groups": _positive_integer,
    "num_inner_repetitions": _positive_integer,
    "max_sequence_length": _positive_integer,
    "num_segments": _positive_integer,
    "hidden_dropout": _rate,
    "attention_dropout": _rate,
    "layer_norm_epsilon": _positive,
    "initializer_range": _positive,
}
