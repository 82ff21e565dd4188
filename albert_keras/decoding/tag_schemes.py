"""Schemes that mark entities by the tags of words.

A tag is `O`, outside of all entities, or a prefix and the entity's type, such
as `B-PER`. Without types, a tag is the prefix alone. The schemes:

- IOB1 (Ramshaw and Marcus 1995): `I`, and `B` only at the start of an entity
  that follows one of its type.
- IOB2 (Tjong Kim Sang and Veenstra 1999): `B` at the start of each entity.
- IOBES, also called BIOES: `E` at the end, `S` for an entity of one word.
- BILOU, also called BILUO: `L` at the end, `U` for an entity of one word.
- BMES and BMEWO: `M` inside, `E` at the end, `S` or `W` for one word.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

SCHEMES = {
    "IOB": "BI",  # IOB1 and IOB2 have the same tags
    "IOBES": "BIES",
    "BILOU": "BILU",
    "BMES": "BMES",
    "BMEWO": "BMEW",
}
_TAG = re.compile(r"([BIESLUMW])(?:-(.+))?")  # prefix, type
_IN_IOBES = {"L": "E", "U": "S", "M": "I", "W": "S"}
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class TagScheme:
    """The scheme of a file's tags.

    Attributes:
        name: A key of `SCHEMES`, or None if the tags mark no entities.
        stray: Tags that are not of the scheme, sorted.
    """

    name: str | None
    stray: tuple[str, ...] = ()

    def to_iobes(self, tags: Sequence[str]) -> list[str]:
        """Translates tags into IOBES, or IOB; stray tags become `O`."""
        return [
            "O"
            if tag in self.stray
            else _IN_IOBES.get(tag[0], tag[0]) + tag[1:]
            for tag in tags
        ]

    def explanation(self) -> str | None:
        """Says what is unusual about the tags; None if nothing is."""
        shown = ", ".join(map(repr, self.stray[:_SHOWN]))
        more = ", ..." if len(self.stray) > _SHOWN else ""
        if self.name is None:
            return (
                f"The tags {shown}{more} mark no entities by a known scheme "
                f"({', '.join(SCHEMES)}): accuracy is the only score."
            )
        if self.stray:
            return (
                f"The tags {shown}{more} are not of the scheme {self.name} "
                "that the other tags follow: F1 counts their words as outside "
                "of entities. Correct them in the file, or ignore this."
            )
        return None


def find_scheme(tags: Iterable[str]) -> TagScheme:
    """Finds the scheme that most of the given tags follow.

    Args:
        tags: Distinct tags.
    """
    tags = sorted(set(tags) - {"O"})
    parsed = {tag: match for tag in tags if (match := _TAG.fullmatch(tag))}
    with_type = {tag: match[1] for tag, match in parsed.items() if match[2]}
    prefixes = with_type or {tag: match[1] for tag, match in parsed.items()}
    name = max(
        SCHEMES,
        key=lambda name: sum(p in SCHEMES[name] for p in prefixes.values()),
    )
    stray = [t for t in tags if prefixes.get(t, "O") not in SCHEMES[name]]
    # Among other tags, "S" or "S-adj" may be a part of speech.
    has_start = not {"B", "I"}.isdisjoint(prefixes.values())
    is_sure = has_start or not stray if with_type else has_start and not stray
    if tags and not is_sure:
        return TagScheme(None, tuple(tags))
    return TagScheme(name, tuple(stray))
