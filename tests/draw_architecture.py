"""Draws the picture and the file tree of docs/architecture.md from the code.

    python -m tests.draw_architecture

The picture shows which room of the package imports which, the file tree the
first line of each module's docstring. A test fails while the page differs.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "albert_keras"
# Modules at the top of the package or of `data` that are no room: constants,
# registration and random numbers, which many rooms import.
LEFT_OUT = {
    "__init__",
    "config",
    "data/__init__",
    "data/stateless_random",
    "keras_registry",
    "problems",
    "progress_bars",
    "version",
}
# Folders without a Python module in them.
OTHER_FOLDERS = {
    "albert_keras/kernels/tensorflow_cpu/csrc": (
        "The operations in C++: kernels.cc includes a header for each"
    )
}


# === The rooms ===


def room_of(parts):
    """The room of a module, given the parts of its path; None for no room.

    A room is a folder of the package or of `data`, or a module next to them.
    """
    if parts[0] == "recipes":
        return "recipes"
    room = "/".join(parts[1 : 3 if parts[1:2] == ["data"] else 2])
    return None if room in LEFT_OUT else room


def imported_rooms(path):
    """What `room_of` gives for each import of a module from the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith(f"{PACKAGE}."):
                yield room_of(name.split("."))


def read_rooms():
    """Each room with the set of other rooms that it imports."""
    rooms = {}
    for path in python_files():
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        room = room_of(parts)
        if room is not None:
            rooms.setdefault(room, set()).update(imported_rooms(path))
    return {
        # A name of the package's root may be a class, which is no room.
        room: {other for other in imported if other in rooms} - {room}
        for room, imported in rooms.items()
    }


def reachable(rooms, start):
    """The rooms that a room imports, directly or through others."""
    found, waiting = set(), [start]
    while waiting:
        for room in rooms[waiting.pop()] - found:
            found.add(room)
            waiting.append(room)
    return found


def direct_arrows(rooms):
    """Pairs (room, imported room) without those that others imply.

    The transitive reduction: A -> C is left out where A -> B and B imports
    C, directly or through others.

    Raises:
        ValueError: If rooms import each other in a circle.
    """
    below = {room: reachable(rooms, room) for room in rooms}
    for room, others in below.items():
        if room in others:
            raise ValueError(f"The room {room!r} imports itself in a circle.")
    return [
        (room, imported)
        for room in sorted(rooms, key=lambda r: (-len(below[r]), r))
        for imported in sorted(rooms[room])
        if not any(imported in below[other] for other in rooms[room])
    ]


def picture(rooms):
    """The rooms and the arrows between them as a Mermaid flowchart."""
    arrows = [f"    {a} --> {b}" for a, b in direct_arrows(rooms)]
    return "\n".join(["```mermaid", "flowchart TD", *arrows, "```"])


# === The file tree ===


def python_files():
    """The modules of the package, and the recipes."""
    return sorted(
        [
            *(ROOT / PACKAGE).rglob("*.py"),
            *(ROOT / "recipes").glob("*.py"),
        ]
    )


def first_line(path):
    """The first line of a module's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return (docstring or "").split("\n")[0].removesuffix(".")


def file_tree():
    """A line for each folder and module, indented by depth."""
    lines = {}
    for path in python_files():
        relative = path.relative_to(ROOT)
        if path.name == "__init__.py":
            lines[relative.parent] = first_line(path)
        else:
            lines.setdefault(relative.parent, "")
            lines[relative] = first_line(path)
    lines.update({Path(k): v for k, v in OTHER_FOLDERS.items()})

    def order(path):
        """Folders of a folder come after its modules."""
        return [
            (name.suffix != ".py", name.name)
            for name in (*reversed(path.parents[:-1]), path)
        ]

    tree = []
    for path in sorted(lines, key=order):
        name = path.name if path.suffix == ".py" else f"{path.name}/"
        indented = "  " * (len(path.parts) - 1) + name
        tree.append(f"{indented:<34}{lines[path]}".rstrip())
    return "\n".join(["```text", *tree, "```"])


# === The page ===


def drawn(text):
    """The page's text with its drawn sections as the code has them."""
    sections = {"rooms": picture(read_rooms()), "files": file_tree()}
    for name, content in sections.items():
        begin, end = f"<!-- drawn: {name} -->", f"<!-- end: {name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{PAGE} has no section {begin} ... {end}.")
        text = f"{before}{begin}\n\n{content}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Drew {PAGE.relative_to(ROOT)}.")
