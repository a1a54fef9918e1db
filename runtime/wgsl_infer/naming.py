"""Names of functions that nobody named: made of the prompt's words, so the model neither invents nor spells them.

"function to convert celsius to fahrenheit" asks for `celsiusToFahrenheit`, "fn that wraps an angle" for `wrapAngle`,
"luminance of a color, as a function" for `colorLuminance`, "is n even? function" for `isEven`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence

from .english import is_compound
from .wgsl_words import RESERVED, is_predeclared

_MOST_WORDS = 3
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]*")
_WORD = re.compile(r"[a-zA-Z][a-zA-Z0-9]+|[1-4][dD]")
_STAGES = frozenset({"vertex", "fragment", "compute"})
# words that say that a function is wanted, name a type or hold the sentence together
_EMPTY = frozenset(
    """
    a an the function functions fn func method routine helper snippet which that for i me my we you need want please
    write make create give gives giving get gets implement implementing define declare build code show how do does
    can could would should like are in wgsl glsl hlsl shader return returns returning calculate calculates
    calculating compute computes computing convert converts converting converter find finds finding tells evaluate
    evaluates evaluating produces produce and or from on at as it its this these those used so just some any
    whatever whose called named reusable small tiny simple helps helping something own util utility go put let have
    has be there number numbers value values float floats int ints integer integers uint uints bool bools boolean
    scalar scalars f32 i32 u32 f16 vec2 vec3 vec4 vec2f vec3f vec4f if whether is true false check checks checking
    test tests testing tell determine determines
    """.split()
)
# what follows these words is of the parameters or the how, no longer of the what
_ENDS = frozenset("by with taking takes take given where using use uses when but while via through without".split())
_NO_NAME = _EMPTY | _ENDS | {"to", "into", "of"}
# what may follow the name of a function, and what may do so where that is no verb ("fn mirror about n")
_BEHIND_NAME = frozenset(["", "that", "which", "with", "taking", "takes", "given", "using", ":", ",", "("])
_BEHIND_VERB = frozenset("of for from on in at about after like exactly a an the as".split())
_QUOTES = frozenset("`'\"")
_NAMING = frozenset(
    tuple(said.split())
    for said in "call it|name it|name :|function name|fn name|, name|. name|with name|, named|, called".split("|")
)
_SAID = re.compile(r"[a-zA-Z_]\w*")
_REQUESTED = ("function", "fn", "func", "def")
_COUNTS = {"2": "two", "3": "three", "4": "four"} | {word: word for word in ("two", "three", "four")}
_PUNCTUATION = frozenset(",;:.(?!=") | {"->", "=>", "..", "..."}


def function_name(words: Sequence[str], typed: Sequence[str] = ()) -> str:
    """A name for the function that a prompt asks for; `compute` where no word tells anything.

    Args:
        words: the words, numbers and signs of the prompt, in order.
        typed: the same as they were typed, where words are put right.
    """
    if said := _said([word for word in typed or words if word not in _QUOTES]):
        return said
    words = [word.lower() if word.isupper() or word.istitle() else word for word in words]
    telling = _predicate(words) or _telling(words)
    name = "".join([*telling[:1], *(word[0].upper() + word[1:] for word in telling[1:])])
    if not _NAME.fullmatch(name):
        return "compute"
    return name if _is_free(name) else f"compute{name[0].upper()}{name[1:]}"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or where the code has it already, another one made of it."""
    return f"get{name[0].upper()}{name[1:]}" if name in taken else name


def requested_function(lexemes: Sequence[str]) -> str | None:
    """The name of the function that an answer was asked for: the only one, or the only one that no other calls.

    Entry points of shaders have names of their own.
    """
    if any(before == "@" and name in _STAGES for before, name in itertools.pairwise(lexemes)):
        return None
    names = [name for before, name in itertools.pairwise(lexemes) if before == "fn"]
    called = names if len(names) == 1 else [name for name in names if lexemes.count(name) == 1]
    return called[0] if len(called) == 1 else None


def _is_free(name: str) -> bool:
    return name not in RESERVED and not is_predeclared(name) and name not in _STAGES


def _said(words: Sequence[str]) -> str:
    """The name that a prompt gives, in one of the ways in which people do; nothing if it gives none.

    They are `function called wrapPi`, `fn wrapPi`, `wrapPi(x)`, `wrapPi function` and, of a word, `fn wrap that`.
    """
    found = [""] * 5
    padded = ["", "", *words, "", ""]
    for place, word in enumerate(words):
        earlier, before, _, after, then = padded[place : place + 5]
        if not _SAID.fullmatch(word) or word.lower() in _NO_NAME or not _is_free(word):
            continue
        behind = before.lower() in _REQUESTED
        listed = after == "(" and then != ")"
        compound = is_compound(word) and len(word) > 2  # `p0` is a parameter
        verb = word.endswith("ing") or _third_person(word) != word
        ways = (
            (earlier, before) in _NAMING or (before in ("named", "called") and earlier in _REQUESTED),
            behind and (compound or listed),
            listed and not is_predeclared(then) and (place == 0 or before == ":" or compound),
            compound and after.lower() in _REQUESTED,
            behind and (after in _BEHIND_NAME or (not verb and (after in _BEHIND_VERB or after.endswith("ing")))),
        )
        found = [name or (word if holds else "") for name, holds in zip(found, ways, strict=True)]
    return next((name for name in found if name), "")


def _telling(words: Sequence[str]) -> list[str]:
    """The first words that say what a function does, "of" turned round: `colorLuminance`, `largerOfTwo`."""
    found: list[str] = []
    of = -1  # how many words stood before "of"
    dimension = ""
    for before, word in itertools.pairwise(["", *words]):
        ends = word in _PUNCTUATION or word in _ENDS or word in _REQUESTED
        if found and (ends or len(found) == _MOST_WORDS + 2 * ("to" in found)):
            break
        if word in ("to", "into"):
            found += ["to"] if found and "to" not in found else []
        elif word == "of":
            of = len(found) if found and of < 0 else of
        elif word in _COUNTS and of == len(found) and before == "of":
            found += ["of", _COUNTS[word]]
            of = -1
            break
        elif word[0].isdigit() and _WORD.fullmatch(word):
            dimension = word.lower()
        elif _WORD.fullmatch(word) and word not in _EMPTY and word not in _ENDS and word not in found:
            found.append(_third_person(word) if before in ("that", "which", *_REQUESTED) else word)
    while found and found[-1] == "to":
        found.pop()
    if 0 < of < len(found) and "to" not in found:
        found = [*found[of:], *found[:of]]
    return [*found, dimension] if found and dimension else found


def _predicate(words: Sequence[str]) -> list[str]:
    """`is` and what a prompt wants to know: "whether n is even" asks for `isEven`."""
    for place, word in enumerate(words):
        if word in ("whether", "if") or (word == "is" and place == 0):
            rest = words[place + 1 :]
            start = next((k + 1 for k, later in enumerate(rest) if later in ("is", "are")), 2 if word == "is" else 0)
            if found := _telling(rest[start:]) if start else []:
                return ["is", *found[: _MOST_WORDS - 1]]
    return []


def _third_person(verb: str) -> str:
    """The verb without the ending of "that squares"."""
    if len(verb) < 4 or not verb.endswith("s") or verb.endswith(("ss", "us", "is")):
        return verb
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-2] if verb.endswith(("sses", "xes", "ches", "shes", "zzes")) else verb[:-1]
