"""Recipes as they stand in TOML, read and checked.

    [[recipes]]
    name = "scaleVector"
    code = "{v} * {s}"
    operands = { v = "V", s = "f32" }
    result = "V"
    nouns = ["{v} scaled by {s}"]
    verbs = ["scale {v} by {s}"]
    after = ["then scale it by {s}"]

A hole `{v}` of a phrase is filled with a name, a number or a noun phrase of another recipe; a phrase without it means
the operand that the key names. Nouns name the value, verbs command it, questions ask for it; `after` leaves one operand
out: what was named before. `[choices.NAME]` maps words to code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wgsl_infer.wgsl_words import is_predeclared

from ..errors import CorpusError
from .types import VARIABLES, full_type

HOLE = re.compile(r"\{([A-Za-z_]\w*)(?:([.:])(\w+))?\}")
FORMS = ("statement", "function", "shader")
LITERALS = ("number", "unit", "positive", "low", "high", "integer", "unsigned", "byte", "percent")
HEX = {"hex3": 3, "hex4": 4, "hex6": 6, "hex8": 8}
CHANNELS = ("r", "g", "b", "a")  # of a hex color
VALUES = ("value", "field", "element")  # a recipe of any type; a scalar over uv and time; a scalar over data[i]
KINDS = ("nouns", "verbs", "questions", "after")
Choices = dict[tuple[Path, str], dict[str, str]]  # tables of words and their code, by file and name
_KEYS = {"name", "code", "operands", "result", "category", "weight", *KINDS}
_VALUE_PARTS = {"type", "params", "name", "list", "typed", "bindings", "verb", "verbs"}


@dataclass(frozen=True)
class Operand:
    """What fills a hole.

    Attributes:
        key: the hole, and the name in code when a phrase leaves the hole out.
        kind: `typed` (a name, number or recipe of `type`), one of LITERALS, HEX or VALUES, `name`, `type`, or `choice`.
        type: the type in full or a type variable; of a choice the name of its table.
        default: code for phrases that leave a literal or a name out.
        words: of a choice, what may be said and its code.
    """

    key: str
    kind: str
    type: str = ""
    default: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Phrase:
    """One phrasing: its text, and the keys of its holes in order."""

    text: str
    kind: str
    holes: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """One operation, and where it stands."""

    name: str
    category: str
    code: str
    operands: dict[str, Operand]
    result: str
    phrases: dict[str, list[Phrase]]
    file: Path
    line: int
    weight: float = 1.0

    @property
    def place(self) -> str:
        """file:line"""
        return f"{self.file}:{self.line}"

    @property
    def phrasings(self) -> int:
        """How many phrasings there are of it."""
        return sum(map(len, self.phrases.values()))


@dataclass
class Cookbook:
    """All recipes, choices and openers of a corpus."""

    recipes: list[Recipe] = field(default_factory=list)
    choices: Choices = field(default_factory=dict)
    openers: dict[str, list[str]] = field(default_factory=dict)

    def count_phrases(self) -> int:
        """How many phrasings there are, choices and openers included."""
        phrases = sum(recipe.phrasings for recipe in self.recipes)
        return phrases + sum(map(len, self.choices.values())) + sum(map(len, self.openers.values()))


def gather(tables: Iterable[tuple[Path, int, dict[str, Any], str]]) -> tuple[Cookbook, list[str]]:
    """A cookbook from parsed tables (file, line, table, category of the file), and a line for each fault."""
    book, faults = Cookbook(), []
    names: dict[tuple[Path, str], str] = {}
    rows = list(tables)
    for file, line, table, _ in rows:
        try:
            _add_words(book, file, table)
        except CorpusError as error:
            faults.append(f"{file}:{line}: {error}")
    for file, line, table, category in rows:
        for row in table.get("recipes", []):
            try:
                recipe = _recipe(row, category, file, line, book.choices)
            except CorpusError as error:
                name = row.get("name", "recipe") if isinstance(row, dict) else "recipes"
                faults.append(f"{file}:{line}: {name}: {error}")
                continue
            if (file, recipe.name) in names:
                faults.append(f"{recipe.place}: {recipe.name} stands at {names[file, recipe.name]} already")
                continue
            names[file, recipe.name] = recipe.place
            book.recipes.append(recipe)
    return book, faults


def _add_words(book: Cookbook, file: Path, table: dict[str, Any]) -> None:
    """Take the choices and openers of a file over."""
    tables = _table(table, "choices")
    for name in tables:
        choices = _table(tables, name)
        if not choices or not all(isinstance(code, str) for code in choices.values()) or (file, name) in book.choices:
            raise CorpusError(f"choices.{name} is declared twice or is no table of words and their code")
        book.choices[file, name] = choices
    openers = _table(table, "openers")
    for kind in openers:
        texts = _strings(openers, kind)
        if kind not in ("nouns", "verbs") or not all(text.count("{}") == 1 for text in texts):
            raise CorpusError(f"openers.{kind} is no list of nouns or verbs with one {{}} each")
        book.openers.setdefault(kind, []).extend(texts)


def _table(row: dict[str, Any], key: str) -> dict[str, Any]:
    found = row.get(key, {})
    if not isinstance(found, dict):
        raise CorpusError(f"{key} is no table")
    return found


def _strings(row: dict[str, Any], key: str) -> list[str]:
    found = row.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise CorpusError(f"{key} is no list of strings")
    return found


def _recipe(row: Any, category: str, file: Path, line: int, choices: Choices) -> Recipe:
    if not isinstance(row, dict):
        raise CorpusError("no tables; each begins with [[recipes]]")
    if unknown := set(row) - _KEYS:
        raise CorpusError(f"unknown key {sorted(unknown)[0]}; there are {', '.join(sorted(_KEYS))}")
    for key in ("name", "code", "result"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise CorpusError(f"{key} is needed, as a string")
    name, code = row["name"], row["code"].strip()
    if not name.isidentifier() or is_predeclared(name):
        raise CorpusError("the name is no free WGSL identifier")
    operands = {key: _operand(key, text, choices, file) for key, text in _table(row, "operands").items()}
    result = row["result"]
    if result not in FORMS and result not in VARIABLES:
        if (full := full_type(result)) is None:
            raise CorpusError(f"result: no type {result!r}")
        result = full
    variables = {operand.type for operand in operands.values() if operand.type in VARIABLES}
    if result in VARIABLES and result not in variables:
        raise CorpusError(f"result: {result} is the type of no operand")
    for key, _, part in HOLE.findall(code):
        if key not in operands and key not in variables:
            raise CorpusError(f"code: {{{key}}} is no operand")
        if key in operands:
            _check_part(operands[key], part)
    for key in operands:
        if not re.search(rf"\{{{key}[.}}]", code):
            raise CorpusError(f"code: operand {key} is not used")
    phrases = {kind: [_phrase(text, kind, operands) for text in _strings(row, kind)] for kind in KINDS}
    if not phrases["nouns"] and not phrases["verbs"]:
        raise CorpusError("there are neither nouns nor verbs")
    weight = row.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < math.inf:
        raise CorpusError("weight is no number above 0")
    own = row.get("category", category)
    if not isinstance(own, str):
        raise CorpusError("category is not a string")
    return Recipe(name, own, code, operands, result, phrases, file, line, float(weight))


def _operand(key: str, text: Any, choices: Choices, file: Path) -> Operand:
    if not isinstance(text, str):
        raise CorpusError(f"operands.{key} is no string")
    kind, _, default = text.partition("=")
    kind, code = kind.strip(), default.strip() or None
    if kind in LITERALS or kind in HEX or kind in VALUES or kind in ("name", "type"):
        return Operand(key, kind, "", code)
    if kind in VARIABLES:
        return Operand(key, "typed", kind, code)
    # a table of the file itself, else one of that name in any file
    tables = [table for (_, name), table in choices.items() if name == kind]
    if tables:
        return Operand(key, "choice", kind, code, choices.get((file, kind), tables[0]))
    if full := full_type(kind):
        return Operand(key, "typed", full, code)
    raise CorpusError(f"operands.{key}: {kind!r} is no type, literal or choice")


def _phrase(text: str, kind: str, operands: dict[str, Operand]) -> Phrase:
    if not text.strip() or "\n" in text:
        raise CorpusError(f"{kind}: {text!r} is no line of text")
    holes = []
    for key, _, part in HOLE.findall(text):
        if key not in operands:
            raise CorpusError(f"{kind}: {text!r}: {{{key}}} is no operand")
        _check_part(operands[key], part)
        if part in ("", "verb", "verbs"):
            holes.append(key)
    if re.search(r"\{\w", re.sub(HOLE, "", text)):
        raise CorpusError(f"{kind}: {text!r}: a brace that is no hole")
    missing = [key for key, operand in operands.items() if key not in holes and not _may_be_missing(operand)]
    if kind == "after":
        left = [key for key, operand in operands.items() if key not in holes and operand.kind in ("typed", "value")]
        if not left:
            raise CorpusError(f"after: {text!r} leaves no operand out")
        missing = [key for key in missing if key != left[0]]
    if missing:
        raise CorpusError(f"{kind}: {text!r} has no {{{missing[0]}}}, which has no default")
    return Phrase(text.strip(), kind, tuple(dict.fromkeys(holes)))


def _may_be_missing(operand: Operand) -> bool:
    return operand.kind == "typed" or operand.default is not None


def _check_part(operand: Operand, part: str) -> None:
    if operand.kind in VALUES:
        fine = not part or part in _VALUE_PARTS
    elif operand.kind in HEX:
        fine = not part or part in CHANNELS
    else:
        fine = not part
    if not fine:
        raise CorpusError(f"{{{operand.key}.{part}}}: a {operand.kind} operand has no {part}")
