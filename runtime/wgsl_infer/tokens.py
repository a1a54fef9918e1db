"""The tokens that every tokenizer has, and what a token of its own vocabulary can be."""

from __future__ import annotations

from . import slots

PAD, UNK, SOS, EOS = range(4)
SPECIAL_TOKENS = ("<pad>", "<unk>", "<sos>", "<eos>")
UNSUPPORTED = "<unsupported>"
REFUSAL = len(SPECIAL_TOKENS)  # the token of <unsupported>
FUNCTION = slots.FUNCTION
SPELL = "<spell>"
SPELLED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-"
WORD_LITERALS = sorted(slots.WORD_NUMBERS) + [f"{n}u" for n in range(5)]

# What a token of the vocabulary can be: a word of prompts, the same that may also be a name and then carries a slot
# along, a lexeme of answers, or several of these.
PROMPT, NAME, ANSWER = 1, 2, 4


def reserved_tokens() -> list[str]:
    """The tokens every tokenizer starts with, in order: special ones, slots, spelled letters, the small numbers."""
    spelled = [f"<char:{c}>" for c in SPELLED]
    return [*SPECIAL_TOKENS, UNSUPPORTED, *slots.all_tokens(), SPELL, *spelled, *WORD_LITERALS]
