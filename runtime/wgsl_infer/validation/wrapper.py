"""The smallest module around an answer that declares its free names, so that it can be compiled and run.

Where the types of those names stay open, the module has *slots*; validation.py finds types that compile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .diagnostics import Diagnostic
from .free_names import NAME, VALUE_TYPES, Place, Reader

CONSTANTS = ["{}", "{}.0", "{}u", "{}i", "true", "vec3<f32>({}.0)", "vec2<f32>({}.0)", "vec4<f32>({}.0)"]

MODULE_SCOPE = re.compile(r"(struct|alias|override|fn)\b|@|var\s*<(?!\s*function)")
DIRECTIVE = re.compile(r"(enable|requires)\b|diagnostic\s*\(")
ILLEGAL = re.compile(r"[$\0\ud800-\udfff]")  # `$` would be taken for a slot, the others do not reach naga
HALF_FLOAT = re.compile(r"\b(f16|vec[234]h|mat[234]x[234]h|\d[\d.]*h)\b")


@dataclass
class Declarations:
    """What a wrapper declares around the code. Types may be open: `$3$` stands for one of `slots[3]`."""

    outside: list[str] = field(default_factory=list)  # at module scope
    inside: list[str] = field(default_factory=list)  # in the function that holds the code
    slots: list[list[str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)  # what `inside` leaves to fill: `ray.hits[].color` -> type
    resources: dict[int, str] = field(default_factory=dict)  # textures, samplers, buffers by binding -> type


@dataclass
class Wrapper:
    """A module with open types."""

    text: str
    declared: Declarations
    called: frozenset[str]  # names that the code calls: functions are never made up
    complete: bool  # a whole shader, which declares every name itself
    pieces: list[tuple[str, int]]  # texts of the code as they follow in the module, with their offsets in the code

    @property
    def slots(self) -> list[list[str]]:
        """The types that each slot may take, likeliest first."""
        return self.declared.slots

    def fill(self, text: str, types: Sequence[str]) -> str:
        """Returns the text with a type in each slot."""
        return re.sub(r"\$(\d+)\$", lambda slot: types[int(slot[1])], text)

    def may_declare(self, name: str) -> bool:
        """Returns whether the wrapper may declare a name that naga misses."""
        return not self.complete and name not in self.called


def wrap(code: str, undeclared: set[str]) -> Wrapper | Diagnostic:
    """Returns a module around the code that declares its free names and those in `undeclared`.

    A shader is a module already; functions and declarations stand at module scope; statements and the
    expression go into a function. Returns a diagnostic instead if the brackets do not match, because then
    the code could close the wrapper's own.
    """
    if illegal := ILLEGAL.search(code):
        return Diagnostic(f"{illegal[0]!a} is no character of WGSL", illegal.start())
    reader = Reader(code, undeclared)
    if fault := unmatched(reader):
        return fault
    if any(a == "@" and b in ("vertex", "fragment", "compute") for a, b in reader.pairs()):
        return Wrapper(code, Declarations(), reader.called, complete=True, pieces=[(code, 0)])
    functions = "fn" in reader.words
    directives, module, body = split(reader, code)
    pieces = [*directives, *module, *body]
    opening, closing = "", ""
    if not functions and not {";", "{"} & set(reader.words):
        directives, module, body, pieces = [], [], [(code, 0)], [(code, 0)]
        opening, closing = "let wi_result = (", "\n);"
    head = [text for text, _ in directives]
    if HALF_FLOAT.search(code) and not any("f16" in text for text in head):
        head.append("enable f16;")
    declared = declare(reader, resources_only=functions)
    result = ""
    if not functions and any(a == "return" and b != ";" for a, b in reader.pairs()):
        declared.slots.append([*VALUE_TYPES, *structs(reader)])
        result = f"${len(declared.slots) - 1}$"
    lines = [*head, *declared.outside, *(text for text, _ in module)]
    if functions:
        lines += [text for text, _ in body]
    elif body:
        # A plain function may hold derivatives and barriers alike; a loop gives break and continue a home and
        # lets the code shadow the names declared for it.
        lines += [f"fn wi_probe() {'-> ' + result if result else ''} {{", *declared.inside]
        inside = [f"{opening}{text}{closing}" for text, _ in body]
        lines += ["for (var wi_turn = 0u; wi_turn < 4u; wi_turn++) {", *inside, "}"]
        lines += [f"return {result}();" if result else "", "}"]
    return Wrapper("\n".join(lines), declared, reader.called, complete=False, pieces=pieces)


def unmatched(reader: Reader) -> Diagnostic | None:
    """Returns a diagnostic for the first bracket without its partner."""
    opened: list[int] = []
    for k, word in enumerate(reader.words):
        if word in ("(", "[", "{"):
            opened.append(k)
        elif word in (")", "]", "}") and (not opened or reader.words[opened.pop()] + word not in ("()", "[]", "{}")):
            return Diagnostic(f"`{word}` closes nothing", reader.starts[k])
    return Diagnostic(f"`{reader.words[opened[-1]]}` is never closed", reader.starts[opened[-1]]) if opened else None


Piece = tuple[str, int]  # a text of the code and its offset there


def split(reader: Reader, code: str) -> tuple[list[Piece], list[Piece], list[Piece]]:
    """Returns the directives, the other module-scope items and the statements, in their order."""
    items: list[tuple[Piece, str]] = []  # with the text from its first lexeme on, to look at
    depth, begin, head = 0, 0, 0
    for k, word in enumerate(reader.words):
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        ends = word == ";" or (word == "}" and reader.at(k + 1) not in ("else", ";"))
        if (depth == 0 and ends) or k + 1 == len(reader.words):
            end = reader.starts[k] + len(word)
            items.append(((code[begin:end], begin), code[reader.starts[head] : end]))
            begin, head = end, k + 1
    directives = [item for item, start in items if DIRECTIVE.match(start)]
    # Constants beside module-scope items may size their arrays; alone they are statements like any other.
    outer = MODULE_SCOPE.pattern
    if any(MODULE_SCOPE.match(start) for _, start in items):
        outer += r"|const(_assert)?\b"
    module = [item for item, start in items if re.match(outer, start)]
    return (directives, module, [item for item, _ in items if item not in directives and item not in module])


def structs(reader: Reader) -> list[str]:
    """Returns the struct types that the code declares or leaves to be declared."""
    declared = [b for a, b in reader.pairs() if a == "struct"]
    return [*declared, *(name for name, place in reader.free.items() if place.type_name)]


def declare(reader: Reader, resources_only: bool) -> Declarations:
    """Returns declarations of the free names.

    With `resources_only`, as around functions, names of plain values are left out: those are parameters.
    """
    declared = Declarations()
    outside, inside, slots = declared.outside, declared.inside, declared.slots

    def slot(candidates: list[str]) -> str:
        slots.append(candidates)
        return f"${len(slots) - 1}$"

    def struct(name: str, place: Place, path: str = "") -> str:
        rows = sorted(place.members.items(), key=lambda row: row[1].runtime)  # a runtime array has to be last
        typed = [(member, spell(inner, f"{name}_{member}", f"{path}.{member}")) for member, inner in rows]
        members = ", ".join(f"{member}: {kind}" for member, kind in typed)
        outside.append(f"struct {name} {{ {members or 'wi_member: f32'} }}")
        return name

    def spell(place: Place, name: str, path: str) -> str:
        if place.is_array():
            element = spell(place.element or Place(), name, f"{path}[]")
            return f"array<{element}>" if place.runtime else f"array<{element}, 64>"
        if place.is_struct():
            return struct(f"Wi_{name}", place, path)
        own = [] if place.only or place.element or place.members else structs(reader)
        kind = slot([*place.candidates(name), *own])
        if NAME.match(path):
            declared.values[path] = kind
        return kind

    def resource(binding: int, space: str, name: str, kind: str) -> None:
        declared.resources[binding] = kind
        outside.append(f"{space} {name}: {kind};")

    for binding, (name, place) in enumerate(reader.free.items()):
        bound = f"@group(3) @binding({binding}) var"
        if place.type_name:
            struct(name, place)
        elif place.resource:
            resource(binding, bound, name, slot(place.resource))
        elif place.runtime_within():
            resource(binding, f"{bound}<storage, read_write>", name, spell(place, name, ""))
        elif place.atomic_within() or place.workgroup:
            resource(binding, "var<workgroup>", name, spell(place, name, ""))
        elif resources_only:
            continue
        elif place.constant and not place.assigned:
            values = [constant.format(binding + 8) for constant in CONSTANTS]  # case labels have to differ
            outside.append(f"const {name} = {slot(values)};")
        elif place.pointer:
            inside.append(f"var wi_{name}: {spell(place, name, f'wi_{name}')}; let {name} = &wi_{name};")
        else:
            inside.append(f"var {name}: {spell(place, name, name)};")
    return declared
