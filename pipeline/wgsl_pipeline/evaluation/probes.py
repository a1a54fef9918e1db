"""Experiments that tell whether two value-returning answers compute the same: run both on 64 random inputs.

A probe is made from the reference: the types that the validator finds for its free names become inputs, and the type of
its value the output. Any other answer is then put in the reference's place. Probes run in the fragment stage, so that
textures can be sampled and derivatives taken; each of 8 x 8 pixels is one sample.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgsl_infer.validation import Diagnostic, Solution, Validator
from wgsl_infer.validation.wrapper import DIRECTIVE

from .comparison import Function, comparable, functions
from .drawing import Binding, Canvas

SIDE = 8
SAMPLES = SIDE * SIDE
ARRAY = 64  # elements of the arrays that wrappers declare
ABSOLUTE, RELATIVE = 1e-3, 1e-3  # how far two float values may be apart and count as equal

_TYPE = re.compile(r"(?:vec(?P<rows>[234])<(?P<of>\w+)>|mat(?P<columns>[234])x(?P<height>[234])<f32>|(?P<scalar>\w+))")
_SCALARS = ("f32", "i32", "u32", "bool")
RESULTS = [
    *("i32", "u32", "bool", "f32"),
    *(f"vec{n}<{of}>" for of in ("i32", "u32", "bool", "f32") for n in (2, 3, 4)),
    *(f"mat{c}x{r}<f32>" for c in (2, 3, 4) for r in (2, 3, 4)),
]
_RESOURCES = {"texture_2d<f32>": "texture", "sampler": "sampler"}


@dataclass(frozen=True)
class ValueType:
    """A scalar, vector or matrix of `columns` x `rows` scalars."""

    text: str
    scalar: str
    columns: int = 1
    rows: int = 1

    @classmethod
    def parse(cls, text: str) -> ValueType | None:
        """The type that a text spells in full; None for arrays, structs, half floats and everything else."""
        found = _TYPE.fullmatch(text.replace(" ", ""))
        if not found:
            return None
        scalar = found["of"] or found["scalar"] or "f32"
        rows = int(found["rows"] or found["height"] or 1)
        return cls(found[0], scalar, int(found["columns"] or 1), rows) if scalar in _SCALARS else None

    @property
    def size(self) -> int:
        """How many scalars there are."""
        return self.columns * self.rows

    def load(self, place: str) -> str:
        """WGSL that makes a value from the floats of `wi_in` from index `place` on."""
        floats = [f"wi_in[{place} + {k}u]" for k in range(self.size)]
        if self.scalar == "bool":
            floats = [f"{text} > 0.0" for text in floats]
        elif self.scalar != "f32":
            floats = [f"{self.scalar}({text})" for text in floats]
        return floats[0] if self.size == 1 and self.scalar != "bool" else f"{self.text}({', '.join(floats)})"

    def store(self, name: str) -> list[str]:
        """WGSL statements that write the value's scalars, as bits, to `wi_out` from `wi_place` on."""
        cells = [name]
        if self.columns > 1:
            cells = [f"{name}[{c}][{r}]" for c in range(self.columns) for r in range(self.rows)]
        elif self.rows > 1:
            cells = [f"{name}[{r}]" for r in range(self.rows)]
        bits = "u32" if self.scalar == "bool" else "bitcast<u32>"
        return [f"wi_out[wi_place + {k}u] = {bits}({cell});" for k, cell in enumerate(cells)]

    def read(self, bits: NDArray[np.uint32]) -> NDArray[np.float64]:
        """The numbers that the stored bits stand for."""
        kinds: dict[str, type[np.float32 | np.int32 | np.uint32]] = {"f32": np.float32, "i32": np.int32}
        return bits.view(kinds.get(self.scalar, np.uint32)).astype(np.float64)


@dataclass(frozen=True)
class Operand:
    """What a run fills with random numbers: `b`, `light.color`, or all elements of `hits[].normal`."""

    path: str
    kind: ValueType

    @property
    def size(self) -> int:
        """How many floats of the input it takes."""
        return self.kind.size * (ARRAY if "[]" in self.path else 1)

    def fill(self, base: int) -> str:
        """The WGSL statement that sets it from the floats from `base` on."""
        if "[]" not in self.path:
            return f"{self.path} = {self.kind.load(f'wi_start + {base}u')};"
        place = f"wi_start + {base}u + wi_k * {self.kind.size}u"
        path = self.path.replace("[]", "[wi_k]")
        return f"for (var wi_k = 0u; wi_k < {ARRAY}u; wi_k++) {{ {path} = {self.kind.load(place)}; }}"

    def sample(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """[SAMPLES, size] floats; the first half of the samples on both sides of 0, the second half above it.

        Floats above 0 are spread evenly over the orders of magnitude from 0.05 to 4: some for an arc cosine, some for a
        square root of x - 1.
        """
        shape = (SAMPLES, self.size)
        positive = (np.arange(SAMPLES) >= SAMPLES // 2)[:, None]
        if self.kind.scalar in ("i32", "u32"):
            numbers = rng.integers(-9, 10, shape)
            return np.where(positive | (self.kind.scalar == "u32"), np.abs(numbers), numbers).astype(np.float32)
        above = 0.05 * 80.0 ** rng.uniform(0.0, 1.0, shape)
        return np.where(positive, above, rng.uniform(-2.0, 2.0, shape)).astype(np.float32)


@dataclass(frozen=True)
class Probe:
    """An experiment on expressions, or on functions that take plain values and textures and return plain values."""

    operands: tuple[Operand, ...]
    result: ValueType
    outside: tuple[str, ...]  # declarations at module scope: structs, constants, textures
    inside: tuple[str, ...]  # declarations of the operands
    bindings: tuple[Binding, ...]
    function: Function | None = None  # the reference's, if it is one
    arguments: tuple[str, ...] = ()  # what it is called with

    def module(self, code: str) -> str | None:
        """The module that runs some code; None if it has not the form of the reference."""
        call, scope = f"({code.strip().removesuffix(';')}\n)", ""
        if self.function is not None:
            name = self._same_kind(code)
            if name is None:
                return None
            call, scope = f"{name}({', '.join(self.arguments)})", code
        starts = np.cumsum([0, *(operand.size for operand in self.operands)])
        fill = [operand.fill(int(base)) for operand, base in zip(self.operands, starts, strict=False)]
        lines = [
            *([scope, *self.outside] if DIRECTIVE.match(scope.lstrip()) else [*self.outside, scope]),
            "@group(0) @binding(0) var<storage, read> wi_in: array<f32>;",
            "@group(0) @binding(1) var<storage, read_write> wi_out: array<u32>;",
            f"fn wi_value(wi_start: u32) -> {self.result.text} {{ {' '.join([*self.inside, *fill])} return {call}; }}",
            "@fragment fn wi_main(@builtin(position) wi_pixel: vec4<f32>) -> @location(0) vec4<f32> {",
            f"let wi_sample = u32(wi_pixel.y) * {SIDE}u + u32(wi_pixel.x);",
            f"let wi_place = wi_sample * {self.result.size}u;",
            f"let wi_found = wi_value(wi_sample * {max(1, starts[-1])}u);",
            *self.result.store("wi_found"),
            "return vec4<f32>(); }",
        ]
        return "\n".join(lines)

    def _same_kind(self, code: str) -> str | None:
        """The function that takes and returns the types that the reference does: of its name if there is one."""
        assert self.function is not None
        wanted = (self.function.parameters, self.function.result)
        names = [f.name for f in functions(code) if (f.parameters, f.result) == wanted]
        return self.function.name if self.function.name in names else names[-1] if names else None

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """What the code computes, [SAMPLES, size of the result]; None if it has not the form of the reference."""
        module = self.module(code)
        if module is None:
            return None
        rng = np.random.default_rng(0)  # the same inputs every time
        columns = [operand.sample(rng) for operand in self.operands] or [np.zeros((SAMPLES, 1), np.float32)]
        inputs = Binding(0, 0, "input", np.concatenate(columns, axis=1).tobytes())
        output = Binding(0, 1, "output", bytes(4 * SAMPLES * self.result.size))
        canvas.draw(module, "wi_main", SIDE, [inputs, output, *self.bindings])
        bits = np.frombuffer(canvas.outputs[0], np.uint32)
        return self.result.read(bits).reshape(SAMPLES, self.result.size)

    @property
    def exact(self) -> bool:
        """Whether values have to be equal to the bit: integers and truth values."""
        return self.result.scalar != "f32"


def make_probe(validator: Validator, reference: str) -> Probe | None:
    """The probe for a reference; None where an operand cannot be filled, or the value not be compared."""
    solution = validator.solve(reference)
    if isinstance(solution, Diagnostic) or solution.wrapper.complete:
        return None
    bindings = bindings_of(solution)
    if bindings is None:
        return None
    declared = solution.wrapper.declared
    outside = tuple(solution.filled(line) for line in declared.outside)
    if heads := functions(reference):
        uses = Counter(comparable(reference))
        head = next((head for head in reversed(heads) if uses[head.name] == 1), heads[-1])  # the one no other calls
        return _function_probe(validator, reference, head, outside, bindings)
    operands = operands_of(solution)
    if operands is None:
        return None
    inside = tuple(solution.filled(line) for line in declared.inside)
    for text in RESULTS:
        kind = ValueType.parse(text)
        assert kind is not None
        probe = Probe(operands, kind, outside, inside, bindings)
        if validator.compile(probe.module(reference) or "") is None:
            return probe
    return None


def _function_probe(
    validator: Validator, reference: str, head: Function, outside: tuple[str, ...], bindings: tuple[Binding, ...]
) -> Probe | None:
    result = ValueType.parse(head.result)
    if result is None:
        return None
    arguments = tuple(f"wi_{k}" for k in range(len(head.parameters)))
    operands: list[Operand] = []
    for k, (name, text) in enumerate(zip(arguments, head.parameters, strict=True)):
        if role := _RESOURCES.get(text):
            outside = (*outside, f"@group(2) @binding({k}) var {name}: {text};")
            bindings = (*bindings, Binding(2, k, role, seed=k))
        elif kind := ValueType.parse(text):
            operands.append(Operand(name, kind))
        else:
            return None
    inside = tuple(f"var {operand.path}: {operand.kind.text};" for operand in operands)
    probe = Probe(tuple(operands), result, outside, inside, bindings, head, arguments)
    return probe if validator.compile(probe.module(reference) or "") is None else None


def operands_of(solution: Solution) -> tuple[Operand, ...] | None:
    """The values that the wrapper leaves to fill; None if one of them cannot be."""
    operands = []
    for path, open_type in solution.wrapper.declared.values.items():
        text = solution.filled(open_type).replace(" ", "")
        if array := re.fullmatch(rf"array<(.*),{ARRAY}>", text):
            path, text = path + "[]", array[1]
        kind = ValueType.parse(text)
        if kind is None or path.count("[]") > 1:
            return None
        operands.append(Operand(path, kind))
    return tuple(operands)


def bindings_of(solution: Solution) -> tuple[Binding, ...] | None:
    """What the wrapper's textures and samplers are bound to; None if it declares any other resource."""
    found = []
    for number, open_type in solution.wrapper.declared.resources.items():
        kind = _RESOURCES.get(solution.filled(open_type).replace(" ", ""))
        if kind is None:
            return None
        found.append(Binding(3, number, kind, seed=number))
    return tuple(found)
