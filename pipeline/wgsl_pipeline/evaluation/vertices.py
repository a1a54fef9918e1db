"""Complete vertex shaders, compared by what they give out: both are called for the same vertices, in a compute shader.

What a vertex shader gives out cannot be read back. Without its attributes the entry point is a function like any other,
which a compute shader may call with vertices made up of numbers, and whose result it may write to a buffer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from .drawing import Binding, Canvas
from .interface import entry_point, lexemes, shader_bindings

_FEWEST = 3  # vertices: of a triangle
_SPOT = 99  # the binding in group 0 of the buffer that is written

_ATTRIBUTE = r"@ (?:location \( \w+ \)|builtin \( \w+ \)|interpolate \( [^)]* \)|invariant) "
_ATTRIBUTES = re.compile(rf"(?:{_ATTRIBUTE})")
_PLACE = re.compile(r"@ (location|builtin) \( (\w+) \)")
_FIELD = re.compile(rf"^((?:{_ATTRIBUTE})*)(\w+) : (.+?)\s*$")
_STRUCT = re.compile(r"struct (\w+) \{ ([^}]*) \}")
_SIGNATURE = r"@ vertex fn {name} \( (.*?)\) -> ((?:{attribute})*)([^{{]+?) \{{"
_VECTOR = re.compile(r"vec([234]) < ([fiu]32) >")
_LIST = re.compile(r"array < [^;]*?, (\d+)u? >")

_NUMBER = """
fn wi_number(vertex: u32, place: u32) -> f32 {
    return fract(sin(f32(vertex) * 12.9898 + f32(place) * 78.233) * 43758.5453) * 2.0 - 1.0;
}
"""


@dataclass(frozen=True)
class Field:
    """What a vertex shader reads or gives out: its attribute, such as `location 0`, and its type."""

    place: str
    kind: str

    @property
    def size(self) -> int:
        """How many numbers it holds.

        Raises:
            ValueError: it is of no kind that stands between the stages.
        """
        if self.kind in ("f32", "i32", "u32"):
            return 1
        if not (vector := _VECTOR.fullmatch(self.kind)):
            raise ValueError(f"no input or output: {self.kind}")
        return int(vector[1])


@dataclass(frozen=True)
class Vertices:
    """An experiment on complete vertex shaders.

    Attributes:
        count: how many vertices there are.
    """

    count: int
    exact = False

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """What comes out for each vertex, its position first and the rest by their locations; None if the code is none.

        Raises:
            ValueError: an input or output is of a kind that none can have.
        """
        plain = lexemes(code)
        stage, entry = entry_point(plain) or ("", "")
        bindings = shader_bindings(plain)
        found = re.search(_SIGNATURE.format(name=entry, attribute=_ATTRIBUTE), plain)
        if stage != "vertex" or bindings is None or not found:
            return None
        structs = {name: _fields(members) for name, members in _STRUCT.findall(plain)}
        arguments = [_argument(attributes, kind, structs) for attributes, _, kind in _fields(found[1])]
        results = _results(found[2], found[3], structs)
        numbers = list(chain.from_iterable(_numbers(reader, field) for reader, field in results))
        lines = [f"wi_out[wi_id.x * {len(numbers)}u + {k}u] = f32({number});" for k, number in enumerate(numbers)]
        module = f"""{_ATTRIBUTES.sub("", plain.replace("@ vertex ", ""))}
{_NUMBER}
@group(0) @binding({_SPOT}) var<storage, read_write> wi_out: array<f32>;
@compute @workgroup_size(1) fn wi_compute(@builtin(global_invocation_id) wi_id: vec3<u32>) {{
    let wi_result = {entry}({", ".join(arguments)});
    {" ".join(lines)}
}}
"""
        room = Binding(0, _SPOT, "output", bytes(4 * self.count * len(numbers)))
        canvas.compute(module, "wi_compute", (self.count, 1, 1), [*bindings, room])
        return np.frombuffer(canvas.outputs[-1], np.float32).astype(np.float64).reshape(self.count, -1)


def make_vertices(reference: str) -> Vertices:
    """The experiment for a reference: as many vertices as its longest list has elements, a triangle's at least."""
    return Vertices(max([_FEWEST, *(int(count) for count in _LIST.findall(lexemes(reference)))]))


def _fields(text: str) -> list[tuple[str, str, str]]:
    """Attributes, name and type of each parameter of a function, or of each member of a struct."""
    depth, pieces = 0, [""]
    for lexeme in text.split():
        depth += (lexeme in ("<", "(")) - (lexeme in (">", ")"))
        if lexeme == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += f"{lexeme} "
    return [(match[1], match[2], match[3]) for piece in pieces if (match := _FIELD.match(piece))]


def _place(attributes: str) -> str:
    found = _PLACE.search(attributes)
    return f"{found[1]} {found[2]}" if found else ""


def _argument(attributes: str, kind: str, structs: dict[str, list[tuple[str, str, str]]]) -> str:
    """What a parameter is given, as an expression."""
    if kind in structs:
        return f"{kind}({', '.join(_argument(each, inner, structs) for each, _, inner in structs[kind])})"
    place = _place(attributes)
    if place == "builtin vertex_index":
        return "wi_id.x"
    if place == "builtin instance_index":
        return "(wi_id.x + 2u)"
    field = Field(place, kind)
    start = 4 * int(place.removeprefix("location ").rstrip("iu"))
    values = [f"wi_number(wi_id.x, {start + k}u)" for k in range(field.size)]
    if not kind.endswith(("f32", "f32 >")):
        scalar = "i32" if "i32" in kind else "u32"
        values = [f"{scalar}(abs({value}) * 9.0)" for value in values]
    return f"{kind}({', '.join(values)})"


def _results(attributes: str, kind: str, structs: dict[str, list[tuple[str, str, str]]]) -> list[tuple[str, Field]]:
    """How each result is read, in the order in which results are compared."""
    if kind not in structs:
        return [("wi_result", Field(_place(attributes), kind))]
    found = [(f"wi_result.{name}", Field(_place(each), inner)) for each, name, inner in structs[kind]]
    return sorted(found, key=lambda result: result[1].place)  # `builtin position` before `location 0`


def _numbers(reader: str, field: Field) -> list[str]:
    return [reader] if field.size == 1 else [f"{reader}.{'xyzw'[k]}" for k in range(field.size)]
