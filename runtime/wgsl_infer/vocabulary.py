"""The tokens of a tokenizer and what each can be: a word of prompts, a lexeme of answers, a letter, a phrase."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from .errors import TokenizerError
from .phrases import Merge, Phrases
from .tokens import ANSWER, NAME, PROMPT, SPELL, SPELLED, WORD_LITERALS, reserved_tokens


class Vocabulary:
    """Reserved tokens, learned ones and phrases, with their ids in this order.

    Args:
        learned: tokens behind the reserved ones, in order of their ids.
        uses: for each learned token a sum of PROMPT, NAME and ANSWER.
        merges: pairs of tokens that stand as one, see `phrases.py`; their ids follow the learned ones.

    Raises:
        TokenizerError: a token stands twice, or there is not one use for each.
    """

    def __init__(self, learned: Iterable[str], uses: Iterable[int], merges: Sequence[Merge] = ()) -> None:
        reserved = reserved_tokens()
        self.tokens: list[str] = [*reserved, *learned]
        self.uses: list[int] = list(uses)
        self.ids: dict[str, int] = {token: k for k, token in enumerate(self.tokens)}
        if len(self.ids) != len(self.tokens) or len(self.tokens) != len(reserved) + len(self.uses):
            raise TokenizerError("the vocabulary lists a token twice, or its list of uses has another length")
        rows = list(zip(self.tokens[len(reserved) :], self.uses, strict=True))
        self.prompt_words = {t: self.ids[t] for t, use in rows if use & PROMPT}
        self.names = {t for t, use in rows if use & NAME}
        self.answer_lexemes = {t: self.ids[t] for t, use in rows if use & ANSWER}
        self.answer_lexemes |= {t: self.ids[t] for t in WORD_LITERALS}
        self.phrases = Phrases(len(self.tokens), merges)

    def __len__(self) -> int:
        return len(self.tokens) + len(self.phrases.merges)

    @property
    def answer_ids(self) -> list[int]:
        """The tokens that stand for one lexeme of answers each, without slots and spelling."""
        return list(self.answer_lexemes.values())

    @property
    def source_ids(self) -> list[int]:
        """All tokens that a prompt may become, and the other reserved ones: all but lexemes and phrases of answers."""
        return self._reserved_and(PROMPT)

    @property
    def target_ids(self) -> list[int]:
        """All tokens that an answer to some prompt may hold, and the special ones: all but words of prompts alone."""
        return [*self._reserved_and(ANSWER), *range(self.phrases.first, len(self))]

    @cached_property
    def spelling_ids(self) -> tuple[int, range]:
        """The token that a lexeme outside the vocabulary begins with, and those of its letters."""
        spell = self.ids[SPELL]
        return spell, range(spell + 1, spell + 1 + len(SPELLED))

    def letter(self, token: int) -> str:
        """The character that a token of a spelled lexeme stands for; nothing for any other token."""
        return self.tokens[token][len("<char:") : -1] if token in self.spelling_ids[1] else ""

    def _reserved_and(self, wanted: int) -> list[int]:
        first = len(self.tokens) - len(self.uses)
        return [*range(first), *(first + k for k, use in enumerate(self.uses) if use & wanted)]
