"""Experiments on statements: they run twice on the same random operands, and all that they can change is compared.

What is compared: every operand, how the statements were left (at their end, by break, continue or return), and where
they assign to no operand, what they declare on the outermost level; beside assignments that is for their own use.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wgsl_infer.validation import Diagnostic, Validator
from wgsl_infer.validation.free_names import Reader

from .comparison import comparable, functions
from .drawing import Binding, Canvas
from .probes import ARRAY, RESULTS, SAMPLES, SIDE, Operand, ValueType, bindings_of, operands_of

_VARIABLE = re.compile(r"var (\w+: [^;]+;)")
_TURNS = 2  # a break is seen by the turn that does not come
_LEFT = [ValueType("u32", "u32")] * 3  # turns begun, turns ended, whether the loop around them ended


@dataclass(frozen=True)
class Statements:
    """An experiment on statements that return no value."""

    operands: tuple[Operand, ...]
    declared: tuple[tuple[str, ValueType], ...]  # on the outermost level, by word and name: `let speed`
    outside: tuple[str, ...]  # declarations at module scope: structs, textures
    variables: tuple[str, ...]  # `x: f32;` for each operand
    bindings: tuple[Binding, ...]

    exact = False

    @property
    def size(self) -> int:
        """How many scalars one sample gives."""
        return sum(operand.size for operand in self.operands) + sum(k.size for _, k in self.declared) + len(_LEFT)

    def module(self, code: str) -> str:
        """The module that runs some code."""
        starts = np.cumsum([0, *(operand.size for operand in self.operands)])
        fill = [operand.fill(int(base)) for operand, base in zip(self.operands, starts, strict=False)]
        keep = [f"wi_new{k} = {head.split()[1]};" for k, (head, _) in enumerate(self.declared)]
        lines = [
            *self.outside,
            *(f"var<private> {variable}" for variable in self.variables),
            *(f"var<private> wi_new{k}: {kind.text};" for k, (_, kind) in enumerate(self.declared)),
            "var<private> wi_begun: u32; var<private> wi_ended: u32; var<private> wi_after: u32;",
            "@group(0) @binding(0) var<storage, read> wi_in: array<f32>;",
            "@group(0) @binding(1) var<storage, read_write> wi_out: array<u32>;",
            f"fn wi_run() {{ for (var wi_turn = 0u; wi_turn < {_TURNS}u; wi_turn++) {{ wi_begun += 1u; {{",
            code,
            *keep,
            "} wi_ended += 1u; } wi_after = 1u; }",
            "@fragment fn wi_main(@builtin(position) wi_pixel: vec4<f32>) -> @location(0) vec4<f32> {",
            f"let wi_sample = u32(wi_pixel.y) * {SIDE}u + u32(wi_pixel.x);",
            f"let wi_start = wi_sample * {max(1, starts[-1])}u;",
            *fill,
            f"wi_run(); var wi_place = wi_sample * {self.size}u;",
            *(_store(operand.path, operand.kind) for operand in self.operands),
            *(_store(f"wi_new{k}", kind) for k, (_, kind) in enumerate(self.declared)),
            *(_store(name, kind) for name, kind in zip(("wi_begun", "wi_ended", "wi_after"), _LEFT, strict=True)),
            "return vec4<f32>(); }",
        ]
        return "\n".join(lines)

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """What the code leaves behind, [SAMPLES, `size`]; None if it does not declare what the reference does."""
        if self.declared and not {head for head, _ in self.declared} <= set(_declared(comparable(code))):
            return None
        rng = np.random.default_rng(0)  # the same inputs every time
        columns = [operand.sample(rng) for operand in self.operands] or [np.zeros((SAMPLES, 1), np.float32)]
        inputs = Binding(0, 0, "input", np.concatenate(columns, axis=1).tobytes())
        output = Binding(0, 1, "output", bytes(4 * SAMPLES * self.size))
        canvas.draw(self.module(code), "wi_main", SIDE, [inputs, output, *self.bindings])
        bits = np.frombuffer(canvas.outputs[0], np.uint32).reshape(SAMPLES, self.size)
        kinds = [(o.kind, o.size) for o in self.operands] + [(kind, kind.size) for kind in self._others]
        ends = np.cumsum([size for _, size in kinds])
        parts = np.split(np.ascontiguousarray(bits.T), ends[:-1])
        return np.concatenate([kind.read(part) for (kind, _), part in zip(kinds, parts, strict=True)]).T

    @property
    def _others(self) -> Sequence[ValueType]:
        return [*(kind for _, kind in self.declared), *_LEFT]


def make_statements(validator: Validator, reference: str) -> Statements | None:
    """The experiment for a reference; None if it is no statement, returns a value, or an operand cannot be filled."""
    lexemes = comparable(reference)
    if not reference.rstrip().endswith((";", "}")) or functions(reference) or _returns_value(lexemes):
        return None
    solution = validator.solve(reference)
    if isinstance(solution, Diagnostic) or solution.wrapper.complete:
        return None
    bindings, operands = bindings_of(solution), operands_of(solution)
    variables = [_VARIABLE.fullmatch(solution.filled(line)) for line in solution.wrapper.declared.inside]
    if bindings is None or operands is None or not all(variables):
        return None
    outside = tuple(solution.filled(line) for line in solution.wrapper.declared.outside)
    found = Statements(operands, (), outside, tuple(v[1] for v in variables if v), bindings)
    changes = any(place.assigned for place in Reader(reference, set()).free.values())
    for head in [] if changes else _declared(lexemes):
        kinds = (kind for text in RESULTS if (kind := ValueType.parse(text)))
        widened = (replace(found, declared=(*found.declared, (head, kind))) for kind in kinds)
        wider = next((one for one in widened if validator.compile(one.module(reference)) is None), None)
        if wider is None:
            return None
        found = wider
    return found if validator.compile(found.module(reference)) is None else None


def _store(path: str, kind: ValueType) -> str:
    """WGSL that writes a value, or all elements of an array, to `wi_out` from `wi_place` on, and moves that."""
    if "[]" not in path:
        return " ".join([*kind.store(path), f"wi_place += {kind.size}u;"])
    inner = " ".join(kind.store(path.replace("[]", "[wi_k]")))
    return f"for (var wi_k = 0u; wi_k < {ARRAY}u; wi_k++) {{ {inner} wi_place += {kind.size}u; }}"


def _declared(lexemes: Sequence[str]) -> list[str]:
    """What statements declare on the outermost level, in order: `let speed`."""
    heads, depth = [], 0
    for before, lexeme in zip(["", *lexemes], lexemes, strict=False):
        depth += (lexeme in ("{", "(")) - (lexeme in ("}", ")"))
        if depth == 0 and before in ("let", "var", "const"):
            heads.append(f"{before} {lexeme}")
    return list(dict.fromkeys(heads))


def _returns_value(lexemes: Sequence[str]) -> bool:
    return any(a == "return" and b != ";" for a, b in itertools.pairwise(lexemes))
