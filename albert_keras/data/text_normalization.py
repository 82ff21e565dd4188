"""ALBERT's text normalization, before SentencePiece's own."""

import unicodedata


def normalize_text(text, lowercase=True, remove_accents=True):
    """Collapses white space, removes accents and lowercases.

    As in Google's release: white space runs become one space and the ends
    are stripped; NFKD; combining characters dropped; lower case. Quotes are
    left as they are (Hugging Face and XLNet turn `` and '' into ").

    Args:
        text: A string.
        lowercase: Whether to lowercase. The English vocabulary has no
            capitals, each would become `<unk>`.
        remove_accents: Whether to decompose and drop combining characters.

    Returns:
        The normalized string.
    """
    text = " ".join(text.split())
    if remove_accents and not text.isascii():
        text = "".join(
            character
            for character in unicodedata.normalize("NFKD", text)
            if not unicodedata.combining(character)
        )
    return text.lower() if lowercase else text
