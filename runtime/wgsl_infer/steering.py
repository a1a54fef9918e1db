"""Which tokens can continue a well-formed answer: the grammar's terminals brought to the tokenizer's tokens."""

from __future__ import annotations

from .grammar import Grammar, State
from .tokenizer import EncodedPrompt, Tokenizer
from .tokens import EOS, UNSUPPORTED


class Course:
    """An answer so far, as the grammar sees it; with one token more it is another one.

    Tokens are looked at one by one, most probable first: of the thousands that there are, a search wants the few best.
    """

    __slots__ = ("_spelled", "_states", "_steering", "ended")

    def __init__(
        self, steering: Steering, states: tuple[State, ...], spelled: str | None = None, *, ended: bool = False
    ) -> None:
        self._steering, self._states = steering, states
        self._spelled = spelled  # the letters of a lexeme that is being spelled; None: none is
        self.ended = ended

    def after(self, token: int) -> Course | None:
        """The answer with one more token; None if that token cannot stand there."""
        steering = self._steering
        if self.ended:
            return self if token == EOS else None
        if token in steering.letters:
            if self._spelled is None:
                return None
            return Course(steering, self._states, self._spelled + steering.tokenizer.letter(token))
        states = self._states
        if self._spelled is not None:
            states = steering.grammar.after(states, self._spelled) if self._spelled else ()
            if not states:
                return None
        if token == EOS:
            return Course(steering, (), ended=True) if steering.grammar.may_end(states) else None
        if token == steering.unsupported:
            return Course(steering, (), ended=True) if states == steering.start else None
        if token == steering.spell:
            return Course(steering, states, "") if steering.grammar.after_classes(states, _SPELLED) else None
        for lexeme in steering.lexemes(token):
            states = steering.grammar.after(states, lexeme)
            if not states:
                return None
        return Course(steering, states)


_SPELLED = ("NAME", "NUMBER")  # what may be spelled; what else is one is in the vocabulary


class Steering:
    """Steers the answer to one prompt.

    Args:
        grammar: of the language of the answers.
        tokenizer: the bundle's.
        encoded: the prompt, whose slots the answer may hold.
    """

    def __init__(self, grammar: Grammar, tokenizer: Tokenizer, encoded: EncodedPrompt) -> None:
        self.grammar, self.tokenizer = grammar, tokenizer
        self.start = grammar.start()
        self.spell, self.letters = tokenizer.spelling_ids
        self.unsupported = tokenizer.ids[UNSUPPORTED]
        self._slots = {tokenizer.ids[token]: (text,) for token, text in encoded.slots.references().items()}
        self._parts: dict[int, tuple[str, ...]] = {}

    def begin(self) -> Course:
        """Before the first token."""
        return Course(self, self.start)

    def lexemes(self, token: int) -> tuple[str, ...]:
        """What a token stands for."""
        found = self._slots.get(token) or self._parts.get(token)
        if found is None:
            tokens = self.tokenizer.tokens
            found = self._parts[token] = tuple(tokens[part] for part in self.tokenizer.phrases.expand(token))
        return found
