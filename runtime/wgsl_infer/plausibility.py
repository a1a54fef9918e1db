"""How much speaks against an answer besides its probability: it makes no sense, or ignores what the prompt gives."""

from __future__ import annotations

from functools import lru_cache

from .english import is_compound
from .search import Hypothesis
from .sense import fault
from .tokenizer import UNSUPPORTED, EncodedPrompt, Tokenizer

NO_SENSE = 8.0  # nats: about none of the right answers is refused (tests/runtime/test_sense.py)
# Nats for each value of the prompt that the answer does not take over. Of 4,000 hand-written pairs 3 % ignore a decimal
# number or a hex value, 7 % a name of several words, 11 % a whole number (`python benchmarks/ignored_values.py`);
# of wrong answers a large part does. Percentages are often computed with, plain words often no names.
IGNORED = {"float": 2.0, "hex": 2.0, "name": 2.0, "int": 1.0}


def nonsense(tokenizer: Tokenizer, encoded: EncodedPrompt, hypothesis: Hypothesis) -> str | None:
    """Why a whole answer cannot compile, in a few words; None if nothing speaks against that."""
    code = tokenizer.decode(hypothesis.ids, encoded.slots)
    return None if code == UNSUPPORTED else _fault(code, tuple(encoded.slots.values["name"]))


@lru_cache(maxsize=64)  # an answer is asked about when it is compared with others and when it is given
def _fault(code: str, known_calls: tuple[str, ...]) -> str | None:
    return fault(code, known_calls)


def objections(tokenizer: Tokenizer, encoded: EncodedPrompt, hypothesis: Hypothesis) -> float:
    """What speaks against a hypothesis, in nats to be taken off its log-probability; 0 is nothing."""
    if not hypothesis.complete:
        return 2 * NO_SENSE
    if UNSUPPORTED in tokenizer.decode_lexemes(hypothesis.ids, encoded.slots):
        return 0.0
    against = NO_SENSE if nonsense(tokenizer, encoded, hypothesis) else 0.0
    used = tokenizer.slots_used(hypothesis.ids)
    for family, values in encoded.slots.values.items():
        for index, value in enumerate(values):
            if family in IGNORED and (family, index) not in used and (family != "name" or is_compound(value)):
                against += IGNORED[family]
    return against
