"""Google's and Hugging Face's tokenization of one text, slow and simple."""

import re

from albert_keras.tokenization.text_normalization import normalize_text

SPECIAL = re.compile(r"(\s*\[MASK\]|\[CLS\]|\[SEP\]|<pad>|<unk>)")


def google_ids(processor, text):
    """Google's pipeline for one text, implemented from its description."""
    return _ids(processor, normalize_text(text))


def huggingface_ids(processor, text):
    """Hugging Face's pipeline: parses special tokens and replaces quotes."""
    result = []
    for part in SPECIAL.split(text):
        if SPECIAL.fullmatch(part):
            result.append(processor.piece_to_id(part.strip()))
            continue
        part = part.replace("``", '"').replace("''", '"')
        # It splits at white space first and encodes each word separately.
        for word in normalize_text(part).split():
            result += _ids(processor, word)
    return result


def _ids(processor, normalized):
    result = []
    for piece in processor.encode(normalized, out_type=str):
        if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
            again = processor.encode(
                piece[:-1].replace("\u2581", ""), out_type=str
            )
            if piece[0] != "\u2581" and again[0][0] == "\u2581":
                if len(again[0]) == 1:
                    again = again[1:]
                else:
                    again[0] = again[0][1:]
            result += [*again, ","]
        else:
            result.append(piece)
    return [processor.piece_to_id(piece) for piece in result]
