"""Configurations are validated and immutable."""

import dataclasses

import pytest

from albert_keras import AlbertConfig


def test_the_default_is_base_version_2():
    assert AlbertConfig() == AlbertConfig.base()


@pytest.mark.parametrize(
    "size, heads, head_dim",
    [
        ("base", 12, 64),
        ("large", 16, 64),
        ("xlarge", 16, 128),
        ("xxlarge", 64, 64),
    ],
)
def test_the_released_sizes_have_the_released_heads(size, heads, head_dim):
    config = AlbertConfig.from_size(size)
    assert config.num_heads == heads
    assert config.hidden_dim == heads * head_dim
    assert config.intermediate_dim == 4 * config.hidden_dim
    assert config.embedding_dim == 128


def test_version_1_has_dropout_except_for_xxlarge():
    for size in ("base", "large", "xlarge"):
        assert AlbertConfig.from_size(size, version=1).hidden_dropout == 0.1
        assert AlbertConfig.from_size(size, version=1).attention_dropout == 0.1
        assert AlbertConfig.from_size(size, version=2).hidden_dropout == 0.0
    assert AlbertConfig.xxlarge(version=1) == AlbertConfig.xxlarge(version=2)


def test_a_configuration_survives_a_dictionary():
    config = AlbertConfig.tiny(num_layers=6, num_groups=3)
    assert AlbertConfig.from_dict(config.to_dict()) == config


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        AlbertConfig().num_layers = 3


@pytest.mark.parametrize(
    "values, message",
    [
        (
            dict(hidden_dim=10, num_heads=3),
            "divisible by `num_heads`.*num_heads=3",
        ),
        (dict(num_layers=5, num_groups=2), "divisible by `num_groups`"),
        (dict(num_layers=0), "`num_layers` must be a positive integer.*0"),
        (dict(vocabulary_size=1.5), "`vocabulary_size` must be a positive"),
        (dict(hidden_dropout=1.0), r"`hidden_dropout` must be in \[0, 1\)"),
        (dict(activation="swish"), "`activation` must be one of.*'swish'"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_what_was_received(
    values, message
):
    with pytest.raises(ValueError, match=message):
        AlbertConfig(**values)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'base'.*Received: 'huge'"):
        AlbertConfig.from_size("huge")
    with pytest.raises(ValueError, match="1 or 2. Received: 3"):
        AlbertConfig.base(version=3)
    with pytest.raises(ValueError, match="Unknown configuration keys.*depth"):
        AlbertConfig.from_dict({"depth": 3})
