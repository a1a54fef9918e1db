"""How much speaks against an answer besides its probability: it makes no sense, or ignores what the prompt gives."""

from __future__ import annotations

from .english import is_compound
from .search import Hypothesis
from .sense import fault
from .tokenizer import UNSUPPORTED, EncodedPrompt, Tokenizer

NO_SENSE = 8.0  # nats: about none of the right answers is refused (tests/runtime/test_sense.py)
# Nats for each value of the prompt that the answer does not take over. Of 4,000 hand-written pairs 3 % ignore a decimal
# number or a hex value, 7 % a name of several words, 11 % a whole number (`python benchmarks/ignored_values.py`);
# of wrong answers a large part does. Percentages are often computed with, plain words often no names.
IGNORED = {"float": 2.0, "hex": 2.0, "name": 2.0, "int": 1.0}


def objections(tokenizer: Tokenizer, encoded: EncodedPrompt, hypothesis: Hypothesis) -> float:
    """What speaks against a hypothesis, in nats to be taken off its log-probability; 0 is nothing."""
    if not hypothesis.complete:
        return 2 * NO_SENSE
    code = tokenizer.decode(hypothesis.ids, encoded.slots)
    if code == UNSUPPORTED:
        return 0.0
    against = NO_SENSE if fault(code, encoded.slots.values["name"]) else 0.0
    used = tokenizer.slots_used(hypothesis.ids)
    for family, values in encoded.slots.values.items():
        for index, value in enumerate(values):
            if family in IGNORED and (family, index) not in used and (family != "name" or is_compound(value)):
                against += IGNORED[family]
    return against
