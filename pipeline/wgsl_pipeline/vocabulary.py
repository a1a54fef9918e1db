"""Learns the tokenizer's vocabulary from training pairs.

A prompt word enters it for its meaning, that is for the uses in which the answer does not take it over as a name: what
is always copied goes through a slot and need not be known. A word met both ways is marked, and then carries a slot
along wherever it stands. Lexemes enter it as far as answers do not take them from their prompts; the most frequent
runs of them become phrases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

from wgsl_infer.english import pieces
from wgsl_infer.lexemes import is_word
from wgsl_infer.naming import requested_function
from wgsl_infer.phrases import Merge
from wgsl_infer.tokenizer import LANGUAGES, Tokenizer
from wgsl_infer.tokens import ANSWER, NAME, PROMPT, UNSUPPORTED, reserved_tokens
from wgsl_infer.wgsl_words import is_predeclared, is_swizzle

from .phrases import learn_merges
from .settings import TokenizerSettings

Pairs = Callable[[], Iterable[tuple[str, str]]]

PAIRS_FOR_PHRASES = 50_000  # the first training pairs, enough to see what is frequent


def learn_tokenizer(pairs: Pairs, settings: TokenizerSettings) -> Tokenizer:
    """A tokenizer for these training pairs.

    Args:
        pairs: gives the (prompt, code) pairs from the start each time it is called; it is called up to four times.
        settings: `min_freq` counts, for prompt words, the uses that are not copies.

    Raises:
        TokenizerError: a code cannot be split into lexemes.
    """
    meant, copied = _count_words(pairs, settings)
    reserved = set(reserved_tokens())
    words = {word: count for word, count in meant.items() if count >= settings.min_freq and word not in reserved}
    # single letters are the usual names of operands: the model learns to write them itself
    names = {word for word in words if copied[word] and len(word) > 1}
    reader = _tokenizer(list(words), dict.fromkeys(words, PROMPT) | dict.fromkeys(names, PROMPT | NAME), settings)
    lexemes = {
        lexeme: count
        for lexeme, count in _count_lexemes(pairs, reader).items()
        if count >= settings.min_freq and lexeme not in reserved
    }
    uses = {
        token: (token in words) * PROMPT + (token in names) * NAME + (token in lexemes) * ANSWER
        for token in words | lexemes
    }
    counts = Counter(words) + Counter(lexemes)
    learned = sorted(counts, key=lambda token: (-counts[token], token))
    tokenizer = _tokenizer(learned, uses, settings)
    return _with_phrases(tokenizer, pairs, learned, uses, settings) if settings.phrases else tokenizer


def _with_phrases(
    tokenizer: Tokenizer, pairs: Pairs, learned: list[str], uses: dict[str, int], settings: TokenizerSettings
) -> Tokenizer:
    answers = (
        tokenizer.encode_answer(code, tokenizer.encode_prompt(prompt).slots)
        for prompt, code in islice(pairs(), PAIRS_FOR_PHRASES)
    )
    merges = learn_merges(answers, set(tokenizer.answer_ids), len(tokenizer), settings.phrases)
    return _tokenizer(learned, uses, settings, merges)


def _tokenizer(
    learned: list[str], uses: dict[str, int], settings: TokenizerSettings, merges: list[Merge] | None = None
) -> Tokenizer:
    return Tokenizer(
        learned,
        [uses[token] for token in learned],
        kind=settings.tokenizer_type,
        lowercase=settings.lowercase,
        max_length=settings.max_length,
        merges=merges or [],
    )


def _count_words(pairs: Pairs, settings: TokenizerSettings) -> tuple[Counter[str], Counter[str]]:
    """How often each word and sign of the prompts is meant, and how often the answer copies it."""
    blank = _tokenizer([], {}, settings)
    wgsl = settings.tokenizer_type == "wgsl"
    known = set() if wgsl else _unprompted_words(pairs, settings)
    meant: Counter[str] = Counter()
    copied: Counter[str] = Counter()
    for prompt, code in pairs():
        names = _wgsl_names(code) if wgsl else set(LANGUAGES[settings.tokenizer_type].split(code)) - known
        for piece in pieces(prompt):
            if piece.kind == "word":
                word = blank.fold(piece.text)
                (copied if piece.text in names or word in names else meant)[word] += 1
            elif piece.kind == "sign":
                meant[piece.text] += 1
    return meant, copied


def _wgsl_names(code: str) -> set[str]:
    """The words of a WGSL answer that are neither the language's own nor swizzles."""
    if code.strip() == UNSUPPORTED:
        return set()
    lexemes = LANGUAGES["wgsl"].split(code)
    return {
        lexeme
        for before, lexeme in zip(["", *lexemes], lexemes, strict=False)
        if is_word(lexeme)
        and not is_predeclared(lexeme)
        and not (before == "." and is_swizzle(lexeme))
        and before != "@"
    }


def _unprompted_words(pairs: Pairs, settings: TokenizerSettings) -> set[str]:
    """The words that some answer holds and its prompt does not: those of a language nobody has told us about."""
    split = LANGUAGES[settings.tokenizer_type].split
    found: set[str] = set()
    for prompt, code in pairs():
        found |= {lexeme for lexeme in split(code) if is_word(lexeme)} - {piece.text for piece in pieces(prompt)}
    return found


def _count_lexemes(pairs: Pairs, reader: Tokenizer) -> Counter[str]:
    """How often each lexeme stands in an answer without coming from its prompt."""
    counts: Counter[str] = Counter()
    for prompt, code in pairs():
        if code.strip() == UNSUPPORTED:
            continue
        lexemes = reader.language.split(code)
        aligner = reader.encode_prompt(prompt).slots.aligner(requested_function(lexemes))
        counts.update(lexeme for lexeme in lexemes if aligner.reference(lexeme) is None)
    return counts
