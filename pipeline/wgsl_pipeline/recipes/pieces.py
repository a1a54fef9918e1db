"""Phrases and their codes as they grow together, and how one is put into another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wgsl_infer.sense.expressions import Nonsense
from wgsl_infer.slots import convert

from ..spool import text_hash
from .grammar import CHANNELS, HOLE, Recipe
from .precedence import PRIMARY, embed, level

TIME_BINDING = "@group(0) @binding(0) var<uniform> time: f32;\n\n"
# words between the operands of a phrase: behind a hole they must not stand in what fills it
_SEPARATORS = frozenset(
    ["and", "by", "with", "to", "from", "between", "of", "in", "on", "at", "over", "into", "as", ",", "or"]
)


class Stuck(Exception):
    """Raised when a draw cannot be completed; another is made instead."""


@dataclass
class Piece:
    """A phrase and its code so far.

    Attributes:
        names: operands that the code leaves free, with their types, in order.
        copied: words of the text that are names, not English.
        used: the phrasings and recipes it is made of.
    """

    text: str
    code: str
    type: str
    recipe: Recipe
    names: dict[str, str] = field(default_factory=dict)
    copied: set[str] = field(default_factory=set)
    used: list[str] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    depth: int = 1
    kind: str = "nouns"
    opens: bool = False  # whether its text begins with an operand: "x plus 1", "v scaled by 2"

    def absorb(self, other: Piece) -> None:
        """Take over what another piece brings along."""
        self.take_names(other)
        self.used += other.used
        self.pairs += [*other.pairs, f"{self.recipe.name}({other.recipe.name})"]
        self.depth = max(self.depth, other.depth + 1)

    def take_names(self, other: Piece) -> None:
        """Take over the names of a literal or operand."""
        for name, full in other.names.items():
            if self.names.setdefault(name, full) != full:
                raise Stuck(name)
        self.copied |= other.copied


def write(code: str, fillings: dict[str, Piece], bound: dict[str, str]) -> str:
    """The code of a recipe with its holes filled; `bound` are the types of its type variables."""
    out, end = "", 0
    for hole in HOLE.finditer(code):
        out += code[end : hole.start()]
        end = hole.end()
        key, part = hole[1], hole[3]
        if key not in fillings:
            out += bound[key]
            continue
        piece = fillings[key]
        if part:
            out += converted("hex", piece.text, part) if part in CHANNELS else part_of(piece, part)
        elif piece.type:
            out += _embedded(piece.code, out, HOLE.sub("x", code[end:]))
        else:
            out += piece.code
    return out + code[end:]


def _embedded(code: str, before: str, after: str) -> str:
    try:
        return embed(code, before, after)
    except Nonsense as error:
        raise Stuck(str(error)) from error


def part_of(piece: Piece, part: str) -> str:
    """What `{value.part}` stands for."""
    if part == "type":
        return piece.type
    names = _in_order_of_mention(piece)
    if part in ("params", "typed"):
        return ", ".join(f"{name}: {piece.names[name]}" for name in names)
    if part == "list":
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    if part == "name":
        return piece.recipe.name
    return TIME_BINDING if "time" in piece.names or re.search(r"\btime\b", piece.code) else ""


def _in_order_of_mention(piece: Piece) -> list[str]:
    """The operands as parameters: in the order in which the prompt names them, the others behind."""
    words_said = re.findall(r"[A-Za-z_]\w*", piece.text)
    places = {
        name: words_said.index(name) if name in words_said and name in piece.copied else len(words_said)
        for name in piece.names
    }
    return sorted(piece.names, key=lambda name: places[name])


def converted(family: str, text: str, conversion: str) -> str:
    """The literal that a value of a prompt becomes, made by what makes it in answers."""
    code = convert(family, text, conversion)
    assert code is not None
    return code


def reads_well(after: str, inner: str) -> bool:
    """Whether the words behind a hole cannot be taken for part of the phrase inside it."""
    behind = after.split()
    inside = set(re.findall(r"[a-z]+|\S", inner.lower()))
    glued = not after.startswith(" ") and behind
    if glued and behind[0][0] not in ",?.)|" and len(inner.split()) > 1:
        return False
    return not behind or behind[0].strip("{},") not in inside & _SEPARATORS


def bracketed(piece: Piece, before: str, after: str) -> str:
    """The text of a phrase inside another, in brackets where it could be read in two ways."""
    text = piece.text
    loose = _level(piece.code) < PRIMARY
    glued = (before and before[-1] not in " (|,[") or (after and re.match(r"[^ ),.|\]?:;]|\.\w", after))
    symbols = re.search(r"[-+*/^%<>=]\s*\Z", before) or re.match(r"\s*[-+*/^%<>=]", after)
    opens = piece.opens and before.count(" ") > 1
    if (glued and not text.isalnum()) or (loose and (symbols or piece.opens)) or opens:
        return f"({text})"
    return text


def _level(code: str) -> int:
    try:
        return level(code)
    except Nonsense as error:
        raise Stuck(str(error)) from error


def is_held_out(piece: Piece, share: float) -> bool:
    """Whether a piece uses a phrasing or a combination of operations that is kept for validation."""
    return any(text_hash(key) < share * 2.0**64 for key in {*piece.used, *piece.pairs})
