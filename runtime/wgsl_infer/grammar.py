"""Whether lexemes are well-formed WGSL so far: an LALR(1) automaton over the bundle's tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from .wgsl_words import (
    ACCESS_MODES,
    ADDRESS_SPACES,
    ATTRIBUTES,
    BUILTIN_VALUES,
    GENERATORS,
    KEYWORDS,
    MARKS,
    PLAIN_TYPES,
    RESERVED,
    is_short_type,
)

FORMS = ("expression", "statements", "module")
_STATES_KEPT = 50_000  # what was seen of earlier answers makes the next ones faster, and takes 15 MB at most

_NAME = re.compile(r"(?!__)(?:_\w+|[^\W\d_]\w*)\Z")
_NUMBER = re.compile(
    r"""(?:
      (?:0|[1-9]\d*)[iu]? | 0[xX][0-9a-fA-F]+[iu]?
    | (?:0|[1-9]\d*)[fh] | (?:\d*\.\d+|\d+\.\d*)(?:[eE][+-]?\d+)?[fh]? | \d+[eE][+-]?\d+[fh]?
    | 0[xX](?:[0-9a-fA-F]*\.[0-9a-fA-F]+|[0-9a-fA-F]+\.[0-9a-fA-F]*)(?:[pP][+-]?\d+[fh]?)?
    | 0[xX][0-9a-fA-F]+[pP][+-]?\d+[fh]?
    )\Z""",
    re.VERBOSE,
)
# words that the grammar spells itself, and what they may be elsewhere
_SPELLED_OUT = {"bitcast": (), "builtin": ("NAME",), "interpolate": ("NAME",), "f16": ("TYPE",)}
_CLASSES: tuple[tuple[str, frozenset[str]], ...] = (
    ("MARK", MARKS), ("ATTRIBUTE", ATTRIBUTES), ("BUILTIN_VALUE", BUILTIN_VALUES), ("SPACE", ADDRESS_SPACES),
    ("ACCESS", ACCESS_MODES),
)  # fmt: skip


@lru_cache(maxsize=4096)
def classes(lexeme: str) -> tuple[str, ...]:
    """The terminals that a lexeme can be, the most particular first; none for what WGSL has no use for."""
    if not (lexeme[0].isalnum() or lexeme[0] in "_."):
        return (lexeme,)
    if lexeme in KEYWORDS or lexeme in ("_", "."):
        return (lexeme,)
    if lexeme in RESERVED:
        return ()
    if lexeme in GENERATORS:
        return ("TEMPLATE",)
    if lexeme in _SPELLED_OUT:
        return (lexeme, *_SPELLED_OUT[lexeme])
    if lexeme in PLAIN_TYPES or is_short_type(lexeme):
        return ("TYPE",)
    if _NUMBER.match(lexeme):
        return ("NUMBER",)
    if not (_NAME.match(lexeme) and lexeme.isidentifier()):  # `\w` holds digits in circles and superscripts, too
        return ()
    return (*(name for name, words in _CLASSES if lexeme in words), "NAME")


class State:
    """A stack of the automaton: its top, and the stack below. Equal stacks are one object."""

    __slots__ = ("below", "number", "pushed", "stepped")

    def __init__(self, number: int, below: State | None) -> None:
        self.number, self.below = number, below
        self.pushed: dict[int, State] = {}
        self.stepped: dict[str, State | None] = {}


class Grammar:
    """The automaton of a grammar.

    Args:
        tables: `terminals`, their names ("" is the end); `rules`, [left side, length] each; `actions`, rows of the
            default rule (-1: none) and pairs of a terminal and the state to shift to, or ~rule to reduce; `gotos`, rows
            of pairs of a left side and a state; `states`, the two rows of each; `starts`, the state of each form.
    """

    def __init__(self, tables: Mapping[str, Any]) -> None:
        names = tables["terminals"]
        self.terminals: tuple[str, ...] = tuple(names)
        self._rules: list[list[int]] = tables["rules"]
        actions = [{names[t]: a for t, a in zip(row[1::2], row[2::2], strict=True)} for row in tables["actions"]]
        gotos = [dict(zip(row[::2], row[1::2], strict=True)) for row in tables["gotos"]]
        self._actions = [actions[a] for a, _ in tables["states"]]
        self._default = [tables["actions"][a][0] for a, _ in tables["states"]]
        self._gotos = [gotos[g] for _, g in tables["states"]]
        self._starts = [tables["starts"][form] for form in FORMS]
        self._roots: tuple[State, ...] = ()
        self._made = 0

    def start(self) -> tuple[State, ...]:
        """Before the first lexeme: a state for every form that the answer can still have."""
        if not self._roots or self._made > _STATES_KEPT:
            self._roots, self._made = tuple(State(number, None) for number in self._starts), 0
        return self._roots

    def step(self, state: State, terminal: str) -> State | None:
        """The state behind a terminal; None if it cannot stand there."""
        try:
            return state.stepped[terminal]
        except KeyError:
            found = state.stepped[terminal] = self._step(state, terminal)
            return found

    def _step(self, state: State, terminal: str) -> State | None:
        while True:
            action = self._actions[state.number].get(terminal)
            if action is None:
                action = ~self._default[state.number]
                if action == 0:  # ~-1: there is no default
                    return None
            if action >= 0:
                return self._push(state, action)
            left, length = self._rules[~action]
            for _ in range(length):
                assert state.below is not None
                state = state.below
            target = self._gotos[state.number].get(left)
            if target is None:
                return None
            state = self._push(state, target)

    def _push(self, below: State, number: int) -> State:
        found = below.pushed.get(number)
        if found is None:
            found = below.pushed[number] = State(number, below)
            self._made += 1
        return found

    def after(self, states: Sequence[State], lexeme: str) -> tuple[State, ...]:
        """The states behind one more lexeme; none if it cannot stand there."""
        return self.after_classes(states, classes(lexeme))

    def after_classes(self, states: Sequence[State], terminals: Iterable[str]) -> tuple[State, ...]:
        """The same for a lexeme that can be one of these terminals."""
        found = []
        for state in states:
            for terminal in terminals:
                step = self.step(state, terminal)
                if step is not None:
                    found.append(step)
                    break
        return tuple(found)

    def may_end(self, states: Sequence[State]) -> bool:
        """Whether the answer is whole."""
        return any(self.step(state, "") is not None for state in states)

    def fault(self, lexemes: Sequence[str]) -> int | None:
        """The place of the first lexeme that cannot stand where it does; their number if the end comes too early."""
        states = self.start()
        for place, lexeme in enumerate(lexemes):
            states = self.after(states, lexeme)
            if not states:
                return place
        return None if self.may_end(states) else len(lexemes)
