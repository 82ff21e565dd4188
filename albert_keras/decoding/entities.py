"""Collects the tags of words into entities."""

from collections.abc import Sequence

from albert_keras.decoding.tag_schemes import TagScheme


def find_entities(
    tags: Sequence[str], scheme: TagScheme
) -> list[tuple[str, int, int]]:
    """Finds the entities of a sentence, as CoNLL's script and seqeval do.

    An entity continues while tags of its type follow that are inside or at
    the end of one. An inside or end tag that continues none begins one.

    Args:
        tags: The tags of the words.
        scheme: Their `TagScheme`. If it has no name, the tags mark no
            entities, and each word whose tag is not "O" is one.

    Returns:
        (label, first word, last word) of each entity in order; the label is
        the type, or the tag if it has none.
    """
    if scheme.name is None:
        return [(tag, i, i) for i, tag in enumerate(tags) if tag != "O"]
    found: list[tuple[str, int, int]] = []
    before, kind_before = "O", ""
    for word, tag in enumerate(scheme.to_iobes(tags)):
        prefix, kind = tag[0], tag[2:]
        continues = prefix in "IE" and before in "BI" and kind == kind_before
        if continues:
            label, first, _ = found.pop()
            found.append((label, first, word))
        elif prefix != "O":
            found.append((kind or tags[word], word, word))
        before, kind_before = prefix, kind
    return found
