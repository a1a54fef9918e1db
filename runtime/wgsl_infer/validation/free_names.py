"""The names that a piece of WGSL uses without declaring, and what each use tells about their types.

`mix(a, b, t)` leaves its operands to the reader; to compile it somebody has to declare them. This is a lexer
with a good memory, not a parser: it sees that `tex` is sampled, that `counts[i]` is an atomic, that `ray` has
the members `origin` and `dir`, and leaves everything it cannot see to naga (see validation.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

VECTORS = ["vec3<f32>", "vec2<f32>", "vec4<f32>"]
MATRICES = [f"mat{n}<f32>" for n in ("4x4", "3x3", "2x2", "4x3", "3x4", "2x3", "3x2", "2x4", "4x2")]
RARE_VECTORS = [f"vec{n}<{kind}>" for kind in ("bool", "u32", "i32", "f16") for n in "324"]
VALUE_TYPES = ["f32", *VECTORS, "u32", "i32", "bool", *MATRICES[:3], *RARE_VECTORS, *MATRICES[3:], "f16"]
SAMPLED_SHAPES = ("2d", "2d_array", "cube", "3d", "1d", "cube_array", "multisampled_2d")
DEPTH_TEXTURES = [f"texture_depth_{shape}" for shape in ("2d", "2d_array", "cube", "cube_array", "multisampled_2d")]
TEXTURES = [f"texture_{shape}<f32>" for shape in SAMPLED_SHAPES] + DEPTH_TEXTURES
TEXTURES += [f"texture_{shape}<{texel}>" for shape in SAMPLED_SHAPES for texel in ("u32", "i32")]
TEXELS = ("rgba8unorm", "r32float", "r32uint", "r32sint", "rgba8uint", "rgba8sint")
STORAGE_TEXTURES = [
    f"texture_storage_{shape}<{texel}, {access}>"
    for access, texel, shape in product(("write", "read", "read_write"), TEXELS, ("2d", "3d", "2d_array", "1d"))
]

# The last word of a name says most about its type: lightDir and ray_dir are both directions.
WORDS_BY_TYPE = {
    "vec3<f32>": "v a b n l i p h r ro rd vec vector pos position point vertex origin center camera cam eye"
    " hit dir direction ray incident normal tangent bitangent axis up forward right velocity vel acceleration"
    " force gravity color col colour rgb albedo tint diffuse specular ambient emissive base sky fog",
    "vec2<f32>": "uv st coord coords resolution texcoord pixel mouse",
    "vec4<f32>": "rgba clip texel src dst quat plane",
    "u32": "index idx id count num bits flags seed hash packed word counter",
    "bool": "is has flag enabled visible done ok inside",
    "mat4x4<f32>": "m mat matrix model proj projection mvp transform world mv vp viewproj",
}
TYPE_OF_WORD = {word: kind for kind, words in WORDS_BY_TYPE.items() for word in words.split()}

# What being an argument says: function, numbers of the argument (or all), likely types, are there no others?
ARGUMENT_HINTS: tuple[tuple[str, tuple[int, ...], list[str], bool], ...] = (
    (r"\[", (), ["u32", "i32"], True),
    (r"normalize|reflect|faceForward|cross", (), [*VECTORS, "vec3<f16>"], True),
    (r"refract", (0, 1), VECTORS, True),
    (r"transpose|determinant", (), MATRICES, True),
    (r"dot", (), VECTORS[:1], False),
    (r"all|any", (), ["vec3<bool>", "vec2<bool>", "vec4<bool>"], False),
    (r"select", (2,), ["bool", "vec3<bool>"], False),
    (r"textureSample\w*", (2,), VECTORS[1::-1], False),
    (r"textureLoad|textureStore", (1,), ["vec2<i32>", "vec2<u32>", "vec3<u32>", "vec3<i32>"], False),
    (r"textureStore", (2, 3), ["vec4<f32>"], False),
    (r"unpack.*|dot4.*|count(One|Lead|Trail).*|first(Lead|Trail).*|\w+Bits", (), ["u32"], False),
    (r"pack4x8.*|pack2x16.*", (), ["vec4<f32>", "vec2<f32>"], False),
)
# What the lexemes on both sides say; the name itself stands as `_`.
NEIGHBOUR_HINTS: tuple[tuple[str, list[str]], ...] = (
    (r"!_.*|(if|while)_[{)]|(&&|\|\|)_(&&|\|\||[){;]|)|(if|!|=|\(|)_(&&|\|\|)", ["bool"]),
    (r"(<<|~|\||\^)_.*|.*_(<<|[|^&]|<<=)", ["u32", "i32"]),
    (r"switch_.*", ["i32", "u32"]),
)

TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|0[xX][\da-fA-F.]+(?:[pP][+-]?\d+)?[iufh]?|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[iufh]?"
    r"|[^\W\d]\w*|->|&&|\|\||<<=?|[-+*/%&|^!=<>]=|\+\+|--|\S",
    re.S,
)
NAME = re.compile(r"[^\W\d]\w*")
KEYWORD = re.compile(
    r"alias|break|case|const|const_assert|continue|continuing|default|diagnostic|discard|else|enable|false|fn|for|if|let"
    r"|loop|override|requires|return|struct|switch|true|var|while|_"
)
PREDECLARED = re.compile(
    r"vec[234][fiuh]?|mat[234]x[234][fh]?|array|atomic|ptr|bool|[fiu]32|f16|bitcast|sampler(_comparison)?"
    r"|texture_((storage_|depth_|multisampled_|depth_multisampled_)?(1d|2d|3d|cube)(_array)?|external)"
)
ENUMERANT = re.compile(r"function|private|workgroup|uniform|storage|read|write|read_write|(rgba|rg|r|bgra)\d+[a-z]+")
WORD_ATTRIBUTES = ("builtin", "interpolate", "diagnostic")  # their arguments are no expressions
SWIZZLE = re.compile(r"[xyzw]{1,4}|[rgba]{1,4}")


def guess_type(name: str) -> str:
    """Returns the type that a name suggests: `vec3<f32>` for lightDir or n0, `f32` for most."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)]
    words += [word.removesuffix("s") for word in words if len(word) > 2]
    return next((TYPE_OF_WORD[word] for word in reversed(words) if word in TYPE_OF_WORD), "f32")


@dataclass
class Place:
    """What the code does with a free name, or with one of its members or elements."""

    members: dict[str, Place] = field(default_factory=dict)
    element: Place | None = None
    likely: list[str] = field(default_factory=list)  # types its use suggests, best first
    only: list[str] = field(default_factory=list)  # if not empty, no other type will do
    resource: list[str] = field(default_factory=list)  # texture or sampler types
    atomic: bool = False
    runtime: bool = False  # an argument of arrayLength
    workgroup: bool = False  # an argument of workgroupUniformLoad
    constant: bool = False  # part of something the compiler must know: an array's size, a case label
    assigned: bool = False
    pointer: bool = False
    type_name: bool = False

    def inner(self) -> list[Place]:
        """Returns the places inside: members and element."""
        return [*self.members.values(), *([self.element] if self.element else [])]

    def atomic_within(self) -> bool:
        """Returns whether this place or one inside is an atomic."""
        return self.atomic or any(place.atomic_within() for place in self.inner())

    def runtime_within(self) -> bool:
        """Returns whether this place or one inside is an array of unknown length."""
        return self.runtime or any(place.runtime_within() for place in self.inner())

    def is_struct(self) -> bool:
        """Returns whether it has a member that no vector has."""
        return any(not SWIZZLE.fullmatch(member) for member in self.members)

    def is_array(self) -> bool:
        """Returns whether only an array will do, of something that vectors and matrices do not hold."""
        below = [self.element] if self.element else []
        return self.runtime or any(place.atomic_within() or place.is_struct() or place.is_array() for place in below)

    def candidates(self, name: str) -> list[str]:
        """Returns the types to try, likeliest first, for a place that is no struct and perhaps no array."""
        if self.atomic:
            return ["atomic<u32>", "atomic<i32>"]
        guess, pool = guess_type(name), self.only or VALUE_TYPES
        if self.element is not None and self.element.inner():
            rows = [*(f"array<{vector}, 64>" for vector in VECTORS), "array<array<f32, 64>, 64>"]
            pool = [*MATRICES, *rows] if guess.startswith("mat") else [*rows, *MATRICES]
        elif self.element is not None:
            cells = [*self.element.likely, guess, *VALUE_TYPES[:8]]
            pool = [*(f"array<{cell}, 64>" for cell in cells), *VECTORS, *MATRICES, *RARE_VECTORS]
        elif self.members:
            size = max(max("xyzw".find(c), "rgba".find(c)) for member in self.members for c in member) + 1
            pool = [kind for kind in (*VECTORS, *RARE_VECTORS) if int(kind[3]) >= size]
        return list(dict.fromkeys([*(kind for kind in (*self.likely, guess) if kind in pool), *pool]))


class Reader:
    """The lexemes of some WGSL (`words`, comments left out) and its free names (`free`)."""

    def __init__(self, code: str, undeclared: set[str]) -> None:
        """Reads the code; `undeclared` are names that it declares, but not wherever it uses them."""
        lexemes = [found for found in TOKEN.finditer(code) if not found[0].startswith(("//", "/*"))]
        self.words = [found[0] for found in lexemes]
        self.starts = [found.start() for found in lexemes]
        self.called = frozenset(a for a, b in self.pairs() if b == "(" and NAME.fullmatch(a))
        self.free: dict[str, Place] = {}
        declared = self._declared() - undeclared
        for k, argument_of, statement in self._scan():
            if argument_of[0] not in WORD_ATTRIBUTES and self._is_free(k, declared):
                self._note(self.free.setdefault(self.words[k], Place()), k, argument_of, statement)
        self._note_members_of_free_types(declared)

    def at(self, k: int) -> str:
        """Returns the lexeme at k, the empty string outside."""
        return self.words[k] if 0 <= k < len(self.words) else ""

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yields each lexeme with the next one."""
        return zip(self.words, self.words[1:], strict=False)

    def _scan(self) -> Iterator[tuple[int, tuple[str, int], str]]:
        """Yields each position with the call and argument number around it and its statement's first word."""
        stack, statement = list[tuple[str, int]](), ""
        for k, word in enumerate(self.words):
            if word in ("(", "["):
                callee = self._callee(k) or ("[" if stack and stack[-1][0] == "[" else "")
                # A gather may begin with a component's number; its texture is argument 0 all the same.
                numbered = callee == "textureGather" and self.at(k + 1)[:1].isdigit()
                stack.append((callee, -1 if numbered else 0))
            elif word in (")", "]") and stack:
                stack.pop()
            elif word == "," and stack:
                stack[-1] = (stack[-1][0], stack[-1][1] + 1)
            if self.at(k - 1) in ("", ";", "{", "}"):
                statement = word
            yield k, stack[-1] if stack else ("", 0), statement

    def _callee(self, k: int) -> str:
        """Returns the name that the bracket at k calls; `[` for an index."""
        before = self.at(k - 1) if self.words[k] == "(" else "["
        return before if re.fullmatch(r"\w+|\[", before) and not KEYWORD.fullmatch(before) else ""

    def _declared(self) -> set[str]:
        """Returns every name that the code declares anywhere: scopes are left to naga."""
        names = set()
        for k, word in enumerate(self.words):
            before = self.at(k - 1)
            if before == ">" and "var" in self.words[max(0, k - 6) : k]:
                before = "var"
            declares = re.fullmatch(r"let|var|const|override|fn|struct|alias", before)
            if NAME.fullmatch(word) and (declares or (self.at(k + 1) == ":" and not self._back(k, "case"))):
                names.add(word)
        return names

    def _back(self, k: int, wanted: str) -> bool:
        """Returns whether `wanted` stands before k in the same statement and bracket."""
        while k > 0 and self.at(k - 1) not in (";", "{", "}", "(", ")", "="):
            k -= 1
            if self.words[k] == wanted:
                return True
        return False

    def _is_free(self, k: int, declared: set[str]) -> bool:
        word, before, after = self.words[k], self.at(k - 1), self.at(k + 1)
        if not NAME.fullmatch(word) or KEYWORD.fullmatch(word) or PREDECLARED.fullmatch(word):
            return False
        if word in declared or before in (".", "@", "enable", "requires") or after == "(":
            return False
        first = before == "<" and re.match(r"var|ptr|texture_", self.at(k - 2))
        return not ((first or (before == "," and after == ">")) and ENUMERANT.fullmatch(word))

    def _note(self, root: Place, k: int, argument_of: tuple[str, int], statement: str) -> None:
        """Records what one occurrence of a free name tells about it."""
        callee, argument = argument_of
        listed = self.at(k - 1) == "<" and PREDECLARED.fullmatch(self.at(k - 2))
        root.type_name |= bool(listed or self.at(k - 1) in (":", "->") or self._back(k, "ptr"))
        if root.type_name:
            return
        begin, end, place = self._follow(root, k)
        root.pointer |= self.at(k - 1) == "*" and self._is_prefix(k - 1)
        address = self.at(begin - 1) == "&" and self._is_prefix(begin - 1)
        before, after = self.at(begin - 1 - address), self.at(end)
        root.assigned |= bool(re.fullmatch(r"[-+*/%&|^]?=|\+\+|--|<<=", after))
        root.constant |= statement.startswith(("const", "override")) or self._back(k, "case") or self._back(k, "array")
        place.atomic |= address and callee.startswith("atomic")
        place.runtime |= address and callee == "arrayLength"
        root.workgroup |= address and callee == "workgroupUniformLoad"
        whole = before in ("(", ",", "[") and after in (")", ",", "]")
        if whole and place is root and callee.startswith("texture"):
            self._note_resource(place, callee, argument)
        for function, arguments, likely, strict in ARGUMENT_HINTS:
            fits = re.fullmatch(function, callee) and (not arguments or argument in arguments)
            if fits and (whole or callee == "["):
                place.likely += likely
                place.only = place.only or (likely if strict else [])
        if before == "(" and self.at(begin - 2) in ("if", "while", "switch"):
            before = self.at(begin - 2)
        for pattern, likely in NEIGHBOUR_HINTS:
            if re.fullmatch(pattern, f"{before}_{after}"):
                place.likely += likely
        literal = re.fullmatch(r"\d+([iu]?)", self.at(end + 1))
        if literal and re.match(r"[-+*/%<>=!&|]", after):
            place.likely += ["u32", "i32"] if literal[1] == "u" else ["i32", "u32"]

    def _follow(self, root: Place, k: int) -> tuple[int, int, Place]:
        """Returns where the reference around the name at k begins and ends, and the place it denotes."""
        begin, end, place = k, k + 1, root
        if self.at(k - 2) == "(" and self.at(k - 1) == "*" and self.at(end) == ")":
            begin, end = k - 2, end + 1
        while self.at(end) in (".", "["):
            if self.at(end) == ".":
                place = place.members.setdefault(self.at(end + 1), Place())
                end += 2
            else:
                place.element = place.element or Place()
                place, end = place.element, self._matching(end) + 1
        return begin, end, place

    def _is_prefix(self, k: int) -> bool:
        """Returns whether the operator at k has no left operand."""
        return not re.match(r"[\w.)\]]", self.at(k - 1)) or self.at(k - 1) == "return"

    def _matching(self, k: int) -> int:
        """Returns the position of the bracket that closes the one at k."""
        depth, end = 1, k + 1
        while depth and end < len(self.words):
            depth += (self.words[end] in "([") - (self.words[end] in ")]")
            end += 1
        return end - 1

    def _note_resource(self, place: Place, callee: str, argument: int) -> None:
        """Narrows down which textures or samplers an argument of a texture function may be."""
        if argument == 1 and callee.startswith(("textureSample", "textureGather")):
            place.resource = ["sampler_comparison"] if "Compare" in callee else ["sampler"]
        elif argument == 0:
            read = DEPTH_TEXTURES if "Compare" in callee else [*TEXTURES, *STORAGE_TEXTURES]
            found = STORAGE_TEXTURES if callee == "textureStore" else read
            place.resource = [kind for kind in found if not place.resource or kind in place.resource]

    def _note_members_of_free_types(self, declared: set[str]) -> None:
        """Adds `radius` to Ball for `fn f(b: Ball) -> f32 { return b.radius; }`."""
        owners: dict[str, Place] = {}
        for k, word in enumerate(self.words):
            if word in declared and self.at(k + 1) == ":":
                end = k + 2
                while self.at(end) in ("array", "ptr", "<", ",") or ENUMERANT.fullmatch(self.at(end)):
                    end += 1
                if (place := self.free.get(self.at(end))) and place.type_name:
                    owners[word] = place
            if word in owners and self.at(k - 1) != "." and self.at(k + 1) != ":":
                holder = Place(element=owners[word]) if self.at(k + 1) == "[" else owners[word]
                self._follow(holder, k)
