"""Lexemes back to text: WGSL in the house style, so layout never has to be learned.

One space around binary operators and after commas, none inside brackets, blocks indented by four spaces, a blank line
between the functions and structs of a module, stage attributes on a line above their `fn`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .lexemes import is_number, is_word, template_brackets

INDENT = "    "

_KEYWORDS_BEFORE_PARENTHESIS = frozenset(
    "if for while switch return case else loop in let var const break continue discard".split()
)
_NO_VALUE_BEFORE = frozenset(["return", "case", "if", "while", "switch", "for", "else", "break"])
_ALWAYS_UNARY = frozenset(("!", "~", "@"))
_UNARY_OR_BINARY = frozenset(("-", "*", "&"))
_TIGHT_AFTER = frozenset(("(", "[", ".", "@", "!", "~"))
_TIGHT_BEFORE = frozenset((")", "]", ",", ";", ".", ":", "++", "--"))


def layout(lexemes: Sequence[str]) -> str:
    """The text of `lexemes` in the house style. `split(layout(x)) == x` for every well-formed program."""
    return _Printer(lexemes).text()


def shorten(lexemes: Sequence[str]) -> list[str]:
    """The same program with WGSL's short aliases for types: `vec3<f32>` becomes `vec3f`, `mat4x4<f32>` `mat4x4f`."""
    suffixes = {"f32": "f", "i32": "i", "u32": "u", "f16": "h"}
    out: list[str] = []
    k = 0
    while k < len(lexemes):
        name = lexemes[k]
        if k + 3 < len(lexemes) and lexemes[k + 1] == "<" and lexemes[k + 3] == ">":
            suffix = suffixes.get(lexemes[k + 2], "")
            vector = name in ("vec2", "vec3", "vec4")
            matrix = len(name) == 6 and name[:3] == "mat" and name[4] == "x" and suffix in ("f", "h")
            if suffix and (vector or matrix):
                out.append(name + suffix)
                k += 4
                continue
        out.append(name)
        k += 1
    return out


class _Printer:
    """Walks the lexemes once, keeping the open brackets and the line being written."""

    def __init__(self, lexemes: Sequence[str]) -> None:
        self.lexemes = list(lexemes)
        self.templates = template_brackets(self.lexemes)
        self.template_commas = self._find_template_commas()
        self.at = 0
        self.brackets: list[str] = []  # "(", "[", "{" or "struct", innermost last
        self.lines: list[str] = []
        self.line = ""
        self.item_is_struct = self.item_has_body = False
        self.in_attributes = False  # the current module-scope item has shown attributes only, so far
        self.unary = False  # the lexeme just written was a prefix operator

    def text(self) -> str:
        for k, lexeme in enumerate(self.lexemes):
            self._write(k, lexeme)
        self._end_line()
        return "\n".join(self.lines)

    # -- lines

    @property
    def depth(self) -> int:
        return sum(b in ("{", "struct") for b in self.brackets)

    def _end_line(self) -> None:
        if self.line:
            self.lines.append(self.line)
            self.line = ""

    def _start_item(self, lexeme: str) -> None:
        """Begin a declaration or statement at the outermost level; functions and structs stand apart from the rest."""
        has_body = lexeme in ("fn", "struct") or (lexeme == "@" and self._opens_block())
        if self.lines and (has_body or self.item_has_body):
            self.lines.append("")
        self.item_has_body = has_body
        self.item_is_struct = lexeme == "struct"
        self.in_attributes = lexeme == "@"

    def _opens_block(self) -> bool:
        """Whether the item that starts at the current lexeme has a body in braces."""
        return next((lexeme == "{" for lexeme in self.lexemes[self.at :] if lexeme in ("{", ";")), False)

    # -- one lexeme

    def _write(self, k: int, lexeme: str) -> None:
        self.at = k
        before = self.lexemes[k - 1] if k else ""
        after = self.lexemes[k + 1] if k + 1 < len(self.lexemes) else ""
        if lexeme == "}":
            self._close_block(after)
            return
        fresh = not self.line
        if fresh and not self.brackets:
            self._start_item(lexeme)
        if self.in_attributes and lexeme == "fn" and not fresh:
            self._end_line()
            fresh = True
        space = "" if fresh else self._space(k, before, lexeme)
        self.line = (INDENT * self.depth if fresh else self.line + space) + lexeme
        self.unary = self._is_prefix(k, before, lexeme)
        if lexeme in ("(", "["):
            self.brackets.append(lexeme)
        elif lexeme in (")", "]"):
            if self.brackets and self.brackets[-1] in ("(", "["):
                self.brackets.pop()
        elif lexeme == "{":
            self.brackets.append("struct" if self.item_is_struct and not self.brackets else "{")
            self._end_line()
        elif (lexeme == ";" and not (self.brackets and self.brackets[-1] in ("(", "["))) or (
            lexeme == "," and self.brackets and self.brackets[-1] == "struct" and k not in self.template_commas
        ):
            self._end_line()

    def _close_block(self, after: str) -> None:
        self._end_line()
        while self.brackets and self.brackets[-1] in ("(", "["):
            self.brackets.pop()
        if self.brackets:
            self.brackets.pop()
        self.line = INDENT * self.depth + "}"
        self.unary = False
        if after not in ("else", ";", ",", ")"):
            self._end_line()

    def _find_template_commas(self) -> set[int]:
        """Commas between template arguments, which end no struct member."""
        found, open_lists = set(), 0
        for k, lexeme in enumerate(self.lexemes):
            if k in self.templates:
                open_lists += 1 if lexeme == "<" else -1
            elif lexeme == "," and open_lists:
                found.add(k)
        return found

    # -- spacing

    def _is_prefix(self, k: int, before: str, lexeme: str) -> bool:
        if lexeme in _ALWAYS_UNARY:
            return True
        return lexeme in _UNARY_OR_BINARY and not self._ends_value(k - 1, before)

    def _ends_value(self, k: int, lexeme: str) -> bool:
        """Whether a value ends with this lexeme, so that an operator behind it is a binary one."""
        if not lexeme or lexeme in _NO_VALUE_BEFORE:
            return False
        if lexeme in (")", "]", "++", "--"):
            return True
        if lexeme == ">":
            return k in self.templates
        return is_word(lexeme) or is_number(lexeme)

    def _space(self, k: int, before: str, lexeme: str) -> str:
        """What separates `lexeme` from the one before it on the same line."""
        if k in self.templates or lexeme in _TIGHT_BEFORE or before in _TIGHT_AFTER:
            return ""
        if self.unary:
            # two minus signs in a row would read as a decrement, two ampersands as a logical and
            return " " if before == lexeme and lexeme in ("-", "&") else ""
        if before == "<" and k - 1 in self.templates:
            return ""
        if lexeme in ("(", "["):
            if before == ">" and k - 1 in self.templates:
                return ""
            called = is_word(before) and before not in _KEYWORDS_BEFORE_PARENTHESIS
            return "" if called or before in (")", "]") else " "
        return " "
