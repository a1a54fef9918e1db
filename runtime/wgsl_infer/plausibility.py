"""How much speaks against an answer besides its probability: it makes no sense, or ignores what the prompt gives."""

from __future__ import annotations

from functools import cached_property

from .english import is_compound
from .search import Hypothesis
from .sense import fault
from .tokenizer import EncodedPrompt, Tokenizer
from .tokens import UNSUPPORTED

NO_SENSE = 8.0  # nats: about none of the right answers is refused (tests/runtime/test_sense.py)
# Nats for each value of the prompt that the answer does not take over. Of 4,000 hand-written pairs 3 % ignore a decimal
# number or a hex value, 7 % a name of several words, 11 % a whole number (`python benchmarks/ignored_values.py`);
# of wrong answers a large part does. Percentages are often computed with, plain words often no names.
IGNORED = {"float": 2.0, "hex": 2.0, "name": 2.0, "int": 1.0}


class Candidate:
    """What a search found for one prompt, and what can be told of it; each thing is worked out once.

    Args:
        tokenizer: the bundle's.
        encoded: the prompt.
        hypothesis: the answer.
    """

    def __init__(self, tokenizer: Tokenizer, encoded: EncodedPrompt, hypothesis: Hypothesis) -> None:
        self.encoded, self.hypothesis = encoded, hypothesis
        self._tokenizer = tokenizer

    @cached_property
    def lexemes(self) -> list[str]:
        """The answer in lexemes."""
        return self._tokenizer.decode_lexemes(self.hypothesis.ids, self.encoded.slots)

    @property
    def refuses(self) -> bool:
        """Whether the answer is that there is none."""
        return self.lexemes == [UNSUPPORTED]

    @cached_property
    def fault(self) -> str | None:
        """Why a whole answer in WGSL cannot compile, in a few words; None if nothing speaks against that."""
        return None if self.refuses else fault(self.lexemes, self.encoded.slots.values["name"])

    @cached_property
    def objections(self) -> float:
        """What speaks against the answer, in nats to be taken off its log-probability; 0 is nothing."""
        if not self.hypothesis.complete:
            return 2 * NO_SENSE
        if self.refuses:
            return 0.0
        against = NO_SENSE if self.fault else 0.0
        used = self._tokenizer.slots_used(self.hypothesis.ids)
        for family, values in self.encoded.slots.values.items():
            for index, value in enumerate(values):
                if family in IGNORED and (family, index) not in used and (family != "name" or is_compound(value)):
                    against += IGNORED[family]
        return against
