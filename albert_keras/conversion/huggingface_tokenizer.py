"""Writes Hugging Face's tokenizer files for a SentencePiece model.

`spiece.model` alone is not enough: without `tokenizer.json`, version 5 of
transformers omits the rule for digits and commas and treats user-defined
symbols such as "." as special tokens, so that most sentences get other ids.
"""

import base64
from pathlib import Path
from typing import Any

import sentencepiece

from albert_keras.conversion.pretrained_parts import (
    PretrainedParts,
    read_json,
    write_json,
)

VOCABULARY_FILE = "spiece.model"
TOKENIZER_FILE = "tokenizer.json"
SETTINGS_FILE = "tokenizer_config.json"

_SPECIAL = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
    "bos_token": "[CLS]",
    "eos_token": "[SEP]",
}
# Makes a piece so unlikely that it is always split if it can be split.
_PENALTY = 100.0
_METASPACE = {
    "type": "Metaspace",
    "replacement": "\u2581",
    "prepend_scheme": "always",
    "split": True,
}


def read_tokenizer(directory: Path) -> dict[str, Any]:
    """Reads vocabulary (None if the file is missing) and settings."""
    path = directory / VOCABULARY_FILE
    settings = {}
    if (directory / SETTINGS_FILE).is_file():
        settings = read_json(directory / SETTINGS_FILE)
    return {
        "vocabulary": path.read_bytes() if path.is_file() else None,
        "tokenizer": {
            "lowercase": bool(settings.get("do_lower_case", True)),
            "remove_accents": not settings.get("keep_accents", False),
            "style": "huggingface",
        },
    }


def write_tokenizer(directory: Path, parts: PretrainedParts) -> None:
    """Writes `spiece.model`, `tokenizer_config.json` and `tokenizer.json`."""
    vocabulary = parts.vocabulary or b""
    (directory / VOCABULARY_FILE).write_bytes(vocabulary)
    settings = {
        "do_lower_case": parts.tokenizer.get("lowercase", True),
        "keep_accents": not parts.tokenizer.get("remove_accents", True),
    }
    write_json(
        directory / SETTINGS_FILE,
        {
            "tokenizer_class": "AlbertTokenizer",
            **settings,
            "remove_space": True,
            "model_max_length": parts.config.max_sequence_length,
            **_SPECIAL,
        },
    )
    write_json(
        directory / TOKENIZER_FILE,
        tokenizer_values(vocabulary, **settings),
    )


def tokenizer_values(
    vocabulary: bytes, do_lower_case: bool = True, keep_accents: bool = False
) -> dict[str, Any]:
    """Returns the content of `tokenizer.json` for a unigram model.

    Args:
        vocabulary: The SentencePiece model as bytes.
        do_lower_case, keep_accents: Hugging Face's settings.
    """
    processor = sentencepiece.SentencePieceProcessor(model_proto=vocabulary)
    pieces = [
        (processor.id_to_piece(i), processor.get_score(i))
        for i in range(processor.get_piece_size())
    ]
    ids = {piece: index for index, (piece, _) in enumerate(pieces)}
    charsmap = precompiled_charsmap(vocabulary)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added_token(ids[piece], piece)
            for piece in dict.fromkeys(_SPECIAL.values())
        ],
        "normalizer": _normalizer(charsmap, do_lower_case, keep_accents),
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, _METASPACE],
        },
        "post_processor": _post_processor(ids),
        "decoder": _METASPACE,
        "model": {
            "type": "Unigram",
            "unk_id": ids["<unk>"],
            "vocab": [[piece, _lowered(piece, s)] for piece, s in pieces],
            "byte_fallback": False,
        },
    }


def precompiled_charsmap(vocabulary: bytes) -> bytes:
    """Extracts SentencePiece's normalization map from a model's bytes.

    Field 3 of ModelProto is the NormalizerSpec, and its field 2 is the map.
    The generated classes of sentencepiece are not used: they need a newer
    protobuf than TensorFlow's.
    """
    specification = _fields(vocabulary).get(3, b"")
    return _fields(specification).get(2, b"")


def _fields(message):
    """Returns the last value of each length-delimited protobuf field."""
    fields, position = {}, 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            _, position = _varint(message, position)
        elif wire_type == 2:
            length, position = _varint(message, position)
            fields[number] = message[position : position + length]
            position += length
        else:
            position += {1: 8, 5: 4}[wire_type]
    return fields


def _varint(message, position):
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _lowered(piece, score):
    """Returns the score, lowered for pieces that end in a digit and a comma."""
    is_split = len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
    return score - _PENALTY if is_split else score


def _added_token(token_id, piece):
    return {
        "id": token_id,
        "content": piece,
        "single_word": False,
        "lstrip": piece == "[MASK]",
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _normalizer(charsmap, do_lower_case, keep_accents):
    steps = [
        {"type": "Replace", "pattern": {"String": quote}, "content": '"'}
        for quote in ("``", "''")
    ]
    if not keep_accents:
        steps += [{"type": "NFKD"}, {"type": "StripAccents"}]
    if do_lower_case:
        steps.append({"type": "Lowercase"})
    if charsmap:
        encoded = base64.b64encode(charsmap).decode("ascii")
        steps.append({"type": "Precompiled", "precompiled_charsmap": encoded})
    steps.append(
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    )
    return {"type": "Sequence", "normalizers": steps}


def _post_processor(ids):
    def special(piece, segment):
        return {"SpecialToken": {"id": piece, "type_id": segment}}

    def sequence(name, segment):
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, sequence("B", 1), special("[SEP]", 1)],
        "special_tokens": {
            piece: {"id": piece, "ids": [ids[piece]], "tokens": [piece]}
            for piece in ("[CLS]", "[SEP]")
        },
    }
