"""Copy slots: what an answer takes over from its prompt to the letter, so that the network never has to spell it.

A name outside the vocabulary, a number, a percentage or a hexadecimal value is replaced in the prompt by a numbered
token of its family (`<name0>`, `<int1>`, ...). The answer refers to it by a token that also says which conversion it
needs: `<int1:f32>` is the integer written as a float literal, `<int1:byte>` the integer divided by 255, `<hex0:r>` the
red channel of a color. The text is computed here, from the prompt. `<function>` is the name of the function that the
prompt asks for without naming it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

# How many distinct values of each family one prompt can hold.
CAPACITY = {"name": 12, "int": 12, "float": 12, "percent": 4, "hex": 4}

# The conversions of each family in the order in which they are tried against a literal of the answer. The empty one is
# the value as it stands: a name, an integer, a float literal, a percentage divided by 100, a hexadecimal value.
CONVERSIONS = {
    "name": ("",),
    "int": ("f32", "", "u32", "byte", "percent"),
    "float": ("",),
    "percent": ("",),
    "hex": ("r", "g", "b", "a", "", "u32"),
}

FUNCTION = "<function>"

# Small numbers are words: their value says what is meant ("3 d", "x to the 2", "0 to 1") as often as it is copied.
WORD_NUMBERS = frozenset(f"{n}{point}" for n in range(5) for point in ("", ".0"))

_WORD_LITERALS = WORD_NUMBERS | frozenset(f"{n}u" for n in range(5))


def source_token(family: str, index: int) -> str:
    """The token that stands in the prompt for the `index`-th distinct value of a family."""
    return f"<{family}{index}>"


def reference_token(family: str, index: int, conversion: str) -> str:
    """The token by which an answer refers to a slot; without a conversion it is the prompt's own token."""
    return f"<{family}{index}:{conversion}>" if conversion else source_token(family, index)


def all_tokens() -> Iterator[str]:
    """Every slot token there is, in the fixed order in which tokenizers list them."""
    yield FUNCTION
    for family, capacity in CAPACITY.items():
        for index in range(capacity):
            yield source_token(family, index)
            yield from (reference_token(family, index, c) for c in CONVERSIONS[family] if c)


@dataclass
class Slots:
    """The values of one prompt: family -> distinct texts, numbered by first appearance; a name for a function."""

    values: dict[str, list[str]] = field(default_factory=lambda: {family: [] for family in CAPACITY})
    uses: dict[str, int] = field(default_factory=dict)
    function: str = ""

    def add(self, family: str, text: str) -> str | None:
        """The token for `text`, the same for every occurrence; None when the family is full."""
        known = self.values[family]
        if text not in known:
            if len(known) == CAPACITY[family]:
                return None
            known.append(text)
        token = source_token(family, known.index(text))
        self.uses[token] = self.uses.get(token, 0) + 1
        return token

    def references(self) -> dict[str, str]:
        """What an answer can refer to: reference token -> the text it stands for."""
        named = {FUNCTION: self.function} if self.function else {}
        return named | {
            reference_token(family, index, conversion): text
            for family, known in self.values.items()
            for index, value in enumerate(known)
            for conversion in CONVERSIONS[family]
            if (text := convert(family, value, conversion)) is not None
        }

    def aligner(self, function: str | None = None) -> Aligner:
        """A fresh aligner over these slots, for one answer and the name of the function it was asked for."""
        return Aligner(self, function)


class Aligner:
    """Finds, lexeme by lexeme, where a training answer copies from its prompt.

    A literal that a prompt may well not have meant (0.0, 1.0, ...) is read as a converted value once for every time the
    value is in the prompt: in the color #ff0000 four channels are taken, in `rgb(255, 0, 0)` one.

    Args:
        slots: of the prompt.
        function: the name of the function that the prompt asks for, `<function>` where the prompt does not say it.
    """

    def __init__(self, slots: Slots, function: str | None = None) -> None:
        self._tokens: dict[str, list[str]] = {}
        self._left: dict[str, int] = {}
        for token, text in slots.references().items():
            if token != FUNCTION:
                self._tokens.setdefault(text, []).append(token)
                self._left[token] = slots.uses[token.split(":")[0].rstrip(">") + ">"]
        if function and slots.function and function not in self._tokens:
            self._tokens[function], self._left[FUNCTION] = [FUNCTION], 1

    def reference(self, lexeme: str) -> str | None:
        """The reference token for `lexeme`, or None if the answer has it from elsewhere."""
        candidates = self._tokens.get(lexeme, ())
        for token in candidates:
            if self._left[token]:
                self._left[token] -= 1
                return token
        return candidates[0] if candidates and lexeme not in _WORD_LITERALS else None


def number_family(text: str) -> tuple[str, str]:
    """Family and canonical text of a number as typed: ("int", "7"), ("float", "0.5")."""
    value = Decimal(text)
    if value == value.to_integral_value() and "." not in text and "e-" not in text.lower():
        return "int", f"{value:f}".split(".")[0]
    return "float", float_literal(value)


def float_literal(value: Decimal) -> str:
    """A WGSL float literal with a digit on each side of the point and no exponent."""
    text = f"{value:f}"
    if "." not in text:
        return text + ".0"
    whole, fraction = text.split(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def convert(family: str, value: str, conversion: str) -> str | None:
    """The text of a slot under a conversion; None where it has none (a color channel of a value that is no color)."""
    if family in ("int", "percent"):
        with localcontext(prec=max(28, len(value) + 6)):  # exact, however many digits were typed
            return _convert_number(Decimal(value), value, "percent" if family == "percent" else conversion)
    if family == "hex":
        return _convert_hex(value, conversion)
    return value


def _convert_number(number: Decimal, value: str, conversion: str) -> str:
    if conversion == "f32":
        return float_literal(number)
    if conversion == "byte":
        return float_literal(round(number / 255, 3))
    if conversion == "percent":
        return float_literal(number / 100)
    return value + "u" if conversion else value


def _convert_hex(value: str, conversion: str) -> str | None:
    if conversion in ("r", "g", "b", "a"):
        channels = hex_channels(value)
        return float_literal(round(Decimal(channels["rgba".index(conversion)]) / 255, 3)) if channels else None
    if conversion == "u32":
        return None if value.startswith("#") else value + "u"
    return value


def hex_channels(value: str) -> tuple[int, int, int, int] | None:
    """Red, green, blue and alpha in 0..255 of `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa` or the same behind `0x`."""
    digits = value[1:] if value.startswith("#") else value[2:]
    if not value.startswith("#") and len(digits) not in (6, 8):
        return None
    if len(digits) in (3, 4):
        digits = "".join(d * 2 for d in digits)
    if len(digits) not in (6, 8):
        return None
    red, green, blue, alpha = (int((digits + "ff")[k : k + 2], 16) for k in (0, 2, 4, 6))
    return red, green, blue, alpha
