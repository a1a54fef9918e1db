"""Does an answer compile? naga is asked, through PyPI `wgpu`.

An answer is handed over in the smallest module that declares its free names. Where the types of those stay open,
the module has *slots*, and a bounded search fills them, likeliest types first, until naga accepts the module. So an
answer is refused only if none of the types tried makes it right.
"""

from __future__ import annotations

import heapq
import importlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import EnvironmentLacks
from .free_names import VALUE_TYPES, Place, Reader

MAX_TRIES = 2500  # modules compiled per answer before the search gives up; one takes about 0.1 ms
UNSUPPORTED = "<unsupported>"  # the answer to a prompt that asks for nothing WGSL can say
CONSTANTS = ["{}", "{}.0", "{}u", "{}i", "true", "vec3<f32>({}.0)", "vec2<f32>({}.0)", "vec4<f32>({}.0)"]
FEATURES = ("shader-f16", "subgroup", "float32-filterable", "clip-distances", "dual-source-blending")

MODULE_SCOPE = re.compile(r"(struct|alias|override|fn)\b|@|var\s*<(?!\s*function)")
DIRECTIVE = re.compile(r"(enable|requires)\b|diagnostic\s*\(")
ILLEGAL = re.compile(r"[$\0\ud800-\udfff]")  # `$` would be taken for a slot, the others do not reach naga
HALF_FLOAT = re.compile(r"\b(f16|vec[234]h|mat[234]x[234]h|\d[\d.]*h)\b")


class ValidatorUnavailable(EnvironmentLacks):
    """Raised when nothing on this machine can compile WGSL; the message says in a line what to install."""


class Validator:
    """A compiler for answers. Opening one takes about a second: make one and keep it."""

    def __init__(self) -> None:
        """Opens a device; raises ValidatorUnavailable when wgpu or every adapter is missing."""
        try:
            wgpu: Any = importlib.import_module("wgpu")
        except (ImportError, OSError) as error:
            raise ValidatorUnavailable("nothing to compile WGSL with: pip install wgpu") from error
        # naga's findings are this class's result, not something for the user's terminal; nor is the
        # complaint of Mesa's device chooser that a machine without a screen has no window system.
        logging.getLogger("wgpu").setLevel(logging.CRITICAL + 1)
        os.environ.setdefault("NODEVICE_SELECT", "1")
        try:
            adapter = wgpu.gpu.request_adapter_sync()
            features = [feature for feature in FEATURES if feature in adapter.features]
            self._device: Any = adapter.request_device_sync(required_features=features)
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            advice = "apt-get install mesa-vulkan-drivers libvulkan1"
            raise ValidatorUnavailable(f"no adapter to compile WGSL with ({reason}): {advice}") from error
        self._refusal: type[Exception] = wgpu.GPUError

    def check(self, code: str) -> str | None:
        """Returns None if some wrapper of the code compiles, else a one-line diagnostic."""
        if code.strip() == UNSUPPORTED:
            return None
        # No native device offers external (video) textures; in all functions they share they act as 2d ones.
        code = re.sub(r"\btexture_external\b", "texture_2d<f32>", code)
        undeclared: set[str] = set()
        while True:
            wrapper = wrap(code, undeclared)
            if isinstance(wrapper, str):
                return wrapper
            diagnostic = self._search(wrapper)
            # A name that is used and then declared (`let x = x + 1.0;`) looks declared to the reader alone.
            missing = re.match(r"no definition in scope for identifier: `(\w+)`", diagnostic or "")
            if not missing or missing[1] in undeclared or not wrapper.may_declare(missing[1]):
                return diagnostic
            undeclared.add(missing[1])

    def _search(self, wrapper: Wrapper) -> str | None:
        """Returns None when some filling of the slots compiles, else the diagnostic of the likeliest one."""
        likeliest: str | None = None
        for tries, types in enumerate(fillings(wrapper.slots)):
            diagnostic = self._compile(wrapper.fill(types))
            if diagnostic is None:
                return None
            likeliest = likeliest or diagnostic
            # No choice of types can mend the grammar, or a name that is not there.
            if re.match(r"expected .*, found|no definition|.*reserved", diagnostic) or tries >= MAX_TRIES:
                break
        return likeliest

    def _compile(self, module: str) -> str | None:
        """Returns None when naga accepts the module, else what it says, in one line."""
        try:
            self._device.create_shader_module(code=module)
        except self._refusal as error:
            return one_line(str(error))
        return None


def one_line(report: str) -> str:
    """Returns the sentence of a naga report that names the fault."""
    if parsing := re.search(r"parsing error: (.*)", report):
        caret = re.search(r"\^ ([^^\n]+)$", report, re.M)
        return parsing[1] + (f" ({caret[1]})" if caret and caret[1] not in parsing[1] else "")
    return [line.strip() for line in report.splitlines() if line.strip()][-1]


# ---------------------------------------------------------------------------------------- the wrapper


@dataclass
class Wrapper:
    """A module with open types: `$3$` in the text stands for one of `slots[3]`."""

    text: str
    slots: list[list[str]]
    called: frozenset[str]  # names that the code calls: functions are never made up
    complete: bool  # a whole shader, which declares every name itself

    def fill(self, types: Sequence[str]) -> str:
        """Returns the module with a type in each slot."""
        return re.sub(r"\$(\d+)\$", lambda slot: types[int(slot[1])], self.text)

    def may_declare(self, name: str) -> bool:
        """Returns whether the wrapper may declare a name that naga misses."""
        return not self.complete and name not in self.called


def wrap(code: str, undeclared: set[str]) -> Wrapper | str:
    """Returns a module around the code that declares its free names and those in `undeclared`.

    A shader is a module already; functions and declarations stand at module scope; statements and the
    expression go into a function. Returns a diagnostic instead if the brackets do not match, because then
    the code could close the wrapper's own.
    """
    if illegal := ILLEGAL.search(code):
        return f"{illegal[0]!a} is no character of WGSL"
    reader = Reader(code, undeclared)
    if fault := unmatched(reader.words):
        return fault
    if any(a == "@" and b in ("vertex", "fragment", "compute") for a, b in reader.pairs()):
        return Wrapper(code, [], reader.called, complete=True)
    functions = "fn" in reader.words
    directives, module, body = split(reader, code)
    if not functions and not {";", "{"} & set(reader.words):
        directives, module, body = [], [], [f"let wi_result = ({code}\n);"]
    if HALF_FLOAT.search(code) and not any("f16" in directive for directive in directives):
        directives.append("enable f16;")
    outside, inside, slots = declare(reader, resources_only=functions)
    result = ""
    if not functions and any(a == "return" and b != ";" for a, b in reader.pairs()):
        slots.append([*VALUE_TYPES, *structs(reader)])
        result = f"${len(slots) - 1}$"
    lines = [*directives, *outside, *module]
    if functions:
        lines += body
    elif body:
        # A plain function may hold derivatives and barriers alike; a loop gives break and continue a home and
        # lets the code shadow the names declared for it.
        lines += [f"fn wi_probe() {'-> ' + result if result else ''} {{", *inside]
        lines += ["for (var wi_turn = 0u; wi_turn < 4u; wi_turn++) {", *body, "}"]
        lines += [f"return {result}();" if result else "", "}"]
    return Wrapper("\n".join(lines), slots, reader.called, complete=False)


def unmatched(words: Sequence[str]) -> str:
    """Returns a diagnostic for the first bracket without its partner, or an empty string."""
    opened: list[str] = []
    for word in words:
        if word in ("(", "[", "{"):
            opened.append(word)
        elif word in (")", "]", "}") and (not opened or opened.pop() + word not in ("()", "[]", "{}")):
            return f"`{word}` closes nothing"
    return f"`{opened[-1]}` is never closed" if opened else ""


def split(reader: Reader, code: str) -> tuple[list[str], list[str], list[str]]:
    """Returns the directives, the other module-scope items and the statements, in their order."""
    items: list[tuple[str, str]] = []  # with the text from its first lexeme on, to look at
    depth, begin, head = 0, 0, 0
    for k, word in enumerate(reader.words):
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        ends = word == ";" or (word == "}" and reader.at(k + 1) not in ("else", ";"))
        if (depth == 0 and ends) or k + 1 == len(reader.words):
            end = reader.starts[k] + len(word)
            items.append((code[begin:end], code[reader.starts[head] : end]))
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


def declare(reader: Reader, resources_only: bool) -> tuple[list[str], list[str], list[list[str]]]:
    """Returns declarations of the free names for module scope and for the function, and their slots.

    With `resources_only`, as around functions, names of plain values are left out: those are parameters.
    """
    outside: list[str] = []
    inside: list[str] = []
    slots: list[list[str]] = []

    def slot(candidates: list[str]) -> str:
        slots.append(candidates)
        return f"${len(slots) - 1}$"

    def struct(name: str, place: Place) -> str:
        rows = sorted(place.members.items(), key=lambda row: row[1].runtime)  # a runtime array has to be last
        members = ", ".join(f"{member}: {spell(inner, f'{name}_{member}')}" for member, inner in rows)
        outside.append(f"struct {name} {{ {members or 'wi_member: f32'} }}")
        return name

    def spell(place: Place, name: str) -> str:
        if place.is_array():
            element = spell(place.element or Place(), name)
            return f"array<{element}>" if place.runtime else f"array<{element}, 64>"
        if place.is_struct():
            return struct(f"Wi_{name}", place)
        own = [] if place.only or place.element or place.members else structs(reader)
        return slot([*place.candidates(name), *own])

    for binding, (name, place) in enumerate(reader.free.items()):
        bound = f"@group(3) @binding({binding}) var"
        if place.type_name:
            struct(name, place)
        elif place.resource:
            outside.append(f"{bound} {name}: {slot(place.resource)};")
        elif place.runtime_within():
            outside.append(f"{bound}<storage, read_write> {name}: {spell(place, name)};")
        elif place.atomic_within() or place.workgroup:
            outside.append(f"var<workgroup> {name}: {spell(place, name)};")
        elif resources_only:
            continue
        elif place.constant and not place.assigned:
            values = [constant.format(binding + 8) for constant in CONSTANTS]  # case labels have to differ
            outside.append(f"const {name} = {slot(values)};")
        elif place.pointer:
            inside.append(f"var wi_{name}: {spell(place, name)}; let {name} = &wi_{name};")
        else:
            inside.append(f"var {name}: {spell(place, name)};")
    return outside, inside, slots


def fillings(slots: list[list[str]]) -> Iterator[list[str]]:
    """Yields types for all slots: the likeliest, then like slots changed alike, then mixtures by cost."""
    guess = [candidates[0] for candidates in slots]
    yield guess
    for old in dict.fromkeys(guess):
        for new in VALUE_TYPES[:12]:
            pairs = zip(slots, guess, strict=True)
            yield [new if first == old and new in candidates else first for candidates, first in pairs]
    for new in VALUE_TYPES[:12]:
        yield [new if new in candidates else candidates[0] for candidates in slots]
    queue: list[tuple[int, tuple[int, ...], int]] = [(0, (0,) * len(slots), 0)]
    while queue:
        cost, ranks, last = heapq.heappop(queue)
        yield [candidates[rank] for candidates, rank in zip(slots, ranks, strict=True)]
        for k in range(last, len(slots)):  # only slots from the last changed one on: each mixture comes once
            if ranks[k] + 1 < len(slots[k]):
                heapq.heappush(queue, (cost + 1, (*ranks[:k], ranks[k] + 1, *ranks[k + 1 :]), k))
