"""Prompts and answers as token ids, and back. There is one tokenizer: the pipeline learns its vocabulary, all use it.

Prompts are pieces of English (`english.py`), answers are lexemes (`lexemes.py`, or `plain_layout.py` for languages
other than WGSL); what an answer copies from its prompt goes through slots (`slots.py`). Both sides share one
vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import lexemes, plain_layout, slots, typos
from .english import Piece, is_compound, parts, pieces, with_hashes
from .errors import TokenizerError
from .layout import layout, shorten
from .naming import free_name, function_name, requested_function
from .phrases import Merge
from .tokens import EOS, FUNCTION, PAD, SOS, SPELL, UNK, UNSUPPORTED, reserved_tokens
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
_MOST_PARTS = 4  # words of a compound name that the model is shown
# What it is shown of a longer name in which it knows no word: most names come with one, and a slot that stands behind
# none is taken for noise. Of 14 requests for one value with 8 such names 96 of 112 answers held the name, now all do.
_STAND_IN, _SHORT_NAME = "input", 2
_SLOT = re.compile(r"<(name|int|float|percent|hex)(\d+)[:>]")


@dataclass(frozen=True)
class Language:
    """How the code of one kind of answer is cut into lexemes and printed again."""

    split: Callable[[str], list[str]]
    layout: Callable[[Sequence[str]], str]
    shorten: Callable[[Sequence[str]], list[str]]


LANGUAGES = {
    "wgsl": Language(lexemes.split, layout, shorten),
    "plain": Language(plain_layout.split_plain, plain_layout.layout_plain, list),
}


@dataclass(frozen=True)
class EncodedPrompt:
    """Token ids of a prompt, `<eos>` last, and the values its slots hold."""

    ids: list[int]
    slots: slots.Slots


class Tokenizer(Vocabulary):
    """A vocabulary and the rules of use stored with it.

    Args:
        learned: tokens behind the reserved ones, in order of their ids.
        uses: for each learned token a sum of PROMPT, NAME and ANSWER.
        kind: the language of the answers, a key of `LANGUAGES`.
        lowercase: whether prompt words are folded to lower case unless they are spelled like a name.
        max_length: most tokens of a prompt or an answer, `<sos>` and `<eos>` included.
        merges: pairs of tokens that stand as one, see `phrases.py`; their ids follow the learned ones.

    Raises:
        TokenizerError: there is no such language, or the vocabulary contradicts itself.
    """

    def __init__(
        self,
        learned: Iterable[str],
        uses: Iterable[int],
        *,
        kind: str = "wgsl",
        lowercase: bool = True,
        max_length: int = 512,
        merges: Sequence[Merge] = (),
    ) -> None:
        if kind not in LANGUAGES:
            raise TokenizerError(f"no tokenizer of kind {kind!r}: there are {', '.join(LANGUAGES)}")
        super().__init__(learned, uses, merges)
        self.kind, self.lowercase, self.max_length = kind, lowercase, max_length
        self.language = LANGUAGES[kind]

    # -- prompts

    def encode_prompt(self, prompt: str) -> EncodedPrompt:
        """Token ids of a prompt and its slots. Unknown signs, and values past a family's capacity, are dropped."""
        values = slots.Slots()
        tokens: list[str] = []
        read: list[tuple[str, str]] = []  # words put right, and as they were typed
        sentence_start = True
        for piece in pieces(with_hashes(prompt) if self.kind == "wgsl" else prompt):
            found = self._prompt_tokens(piece, values, sentence_start)
            tokens += found
            is_word = found and found[0] in self.prompt_words and not is_compound(piece.text)
            read.append((found[0] if is_word else piece.text, piece.text))
            sentence_start = piece.text in (".", "!", "?", ":")
        if self.kind == "wgsl":
            values.function = function_name([word for word, _ in read], [text for _, text in read])
        return EncodedPrompt([*(self.ids[t] for t in tokens), EOS], values)

    def _prompt_tokens(self, piece: Piece, values: slots.Slots, sentence_start: bool) -> list[str]:
        if piece.kind == "sign" or piece.text.startswith("'"):
            return [piece.text] if piece.text in self.prompt_words else []
        if piece.kind == "word":
            return self._word_tokens(piece.text, values, sentence_start)
        if piece.kind == "number":
            family, text = slots.number_family(piece.text)
            if text in slots.WORD_NUMBERS:
                return [text]
        else:
            family, text = piece.kind, piece.text.removesuffix("%")
        slot = values.add(family, text)
        return [slot] if slot else []

    def _word_tokens(self, text: str, values: slots.Slots, sentence_start: bool) -> list[str]:
        """The word, its slot, or both: where the spelling may be meant as a name, the model sees the two readings.

        Of a compound name it sees the words in it, too: `maxComponent` and `fogDensity` say what they are.
        """
        folded = text.lower()
        if text[0].isdigit() and folded in self.prompt_words:  # "2D" can be no name
            return [folded]
        capital = sentence_start and text == folded.capitalize()
        if text in self.prompt_words:
            word, may_be_name = text, text in self.names
        elif folded in self.prompt_words:
            word, may_be_name = folded, not capital or folded in self.names
        else:
            word, may_be_name = (typos.nearest(folded if capital else text, self.prompt_words) or "", True)
        if not may_be_name:
            return [word]
        words = [word] if word else []
        if not word and text not in values.values["name"]:
            words = [part for part in parts(text) if part in self.prompt_words][:_MOST_PARTS]
            if not words and len(text) > _SHORT_NAME and _STAND_IN in self.prompt_words:
                words = [_STAND_IN]
        slot = values.add("name", folded if capital and word == folded else text)
        return [*words, slot] if slot else words

    def fold(self, word: str) -> str:
        """The form of a prompt word under which the vocabulary counts it."""
        spelled_like_name = not (word.islower() or word.isupper() or word == word.capitalize())
        return word.lower() if self.lowercase and not spelled_like_name else word

    # -- answers

    def encode_answer(self, code: str, values: slots.Slots) -> list[int]:
        """Token ids of an answer to the prompt that `values` came from, between `<sos>` and `<eos>`.

        Lexemes outside the vocabulary are spelled letter by letter, so the code comes back whole, but for two things: a
        lexeme with a letter that cannot be spelled becomes `<unk>`, and a function that the prompt does not name gets
        the name made of the prompt.

        Raises:
            TokenizerError: the code cannot be split into lexemes.
        """
        if code.strip() == UNSUPPORTED:
            return [SOS, self.ids[UNSUPPORTED], EOS]
        found = self.language.split(code)
        aligner = values.aligner(requested_function(found))
        ids = [SOS]
        for lexeme in found:
            ids += self._lexeme_ids(lexeme, aligner.reference(lexeme))
        return [*self.phrases.join(ids), EOS]

    def _lexeme_ids(self, lexeme: str, reference: str | None) -> list[int]:
        if reference is not None:
            return [self.ids[reference]]
        if lexeme in self.answer_lexemes:
            return [self.answer_lexemes[lexeme]]
        letters = [self.ids.get(f"<char:{c}>", UNK) for c in lexeme]
        return [UNK] if UNK in letters else [self.ids[SPELL], *letters]

    def decode(self, ids: Iterable[int], values: slots.Slots, *, style: str = "full") -> str:
        """The code that `ids` stand for, in the house style; reading stops at `<eos>`.

        Args:
            style: "full" spells types as `vec3<f32>`, "short" as `vec3f`.
        """
        return self.layout(self.decode_lexemes(ids, values), style=style)

    def layout(self, found: Sequence[str], *, style: str = "full") -> str:
        """Lexemes as code in the house style."""
        return self.language.layout(self.language.shorten(found) if style == "short" else found)

    def decode_lexemes(self, ids: Iterable[int], values: slots.Slots) -> list[str]:
        """The lexemes that `ids` stand for, slots replaced by their text, spelled ones put together."""
        references = values.references()
        references.pop(FUNCTION, None)
        found: list[str] = []
        for k in (part for token in ids for part in self.phrases.expand(token)):
            if k == EOS:
                break
            token = self.tokens[k]
            if token == SPELL:
                found.append("")
            elif found and (letter := self.letter(k)):
                found[-1] += letter
            elif k not in (PAD, SOS):
                found.append(references.get(token, token))
        if FUNCTION in found:
            name = free_name(values.function, found)
            found = [name if lexeme == FUNCTION else lexeme for lexeme in found]
        return [lexeme for lexeme in found if lexeme]

    def slots_used(self, ids: Sequence[int]) -> set[tuple[str, int]]:
        """Family and number of every slot that an answer refers to."""
        tokens = (self.tokens[token] for phrase in ids for token in self.phrases.expand(phrase))
        found = (_SLOT.match(token) for token in tokens)
        return {(match[1], int(match[2])) for match in found if match}

    def answer_mask(self, values: slots.Slots) -> NDArray[np.bool_]:
        """Which tokens an answer to this prompt may hold, [V]: lexemes, spelling, `<eos>` and the slots it has."""
        mask = self._always.copy()
        mask[[self.ids[token] for token in values.references()]] = True
        return mask

    @cached_property
    def _always(self) -> NDArray[np.bool_]:
        """The tokens that an answer to any prompt may hold."""
        mask = np.zeros(len(self), dtype=np.bool_)
        spell, letters = self.spelling_ids
        mask[[EOS, self.ids[UNSUPPORTED], spell, *letters]] = True
        mask[self.answer_ids] = True
        mask[self.phrases.first :] = True
        return mask

    # -- files

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make this tokenizer again."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "lowercase": self.lowercase,
            "max_length": self.max_length,
            "reserved": len(reserved_tokens()),
            "tokens": self.tokens[len(reserved_tokens()) :],
            "uses": self.uses,
            "merges": self.phrases.merges,
        }

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the canonical JSON, in hexadecimal: the same for every tokenizer that encodes alike."""
        return text_fingerprint(self.to_text())

    def to_text(self) -> str:
        """The contents of `tokenizer.json`: canonical JSON and the end of the line."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read `tokenizer.json`.

        Raises:
            TokenizerError: the file is missing, is no tokenizer, or was written by another version.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT or data["reserved"] != len(reserved_tokens()):
                raise TokenizerError("written by another version of the tokenizer; run `pipeline preprocess` again")
            return cls(
                data["tokens"],
                data["uses"],
                kind=data["kind"],
                lowercase=data["lowercase"],
                max_length=data["max_length"],
                merges=data["merges"],
            )
        except OSError as error:
            raise TokenizerError(f"{path}: cannot be read: {error.strerror}") from error
        except TokenizerError as error:
            raise TokenizerError(f"{path}: {error}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise TokenizerError(f"{path}: not a tokenizer file ({type(error).__name__}: {error})") from error


def text_fingerprint(text: str) -> str:
    """The fingerprint of the tokenizer whose `to_text` this is."""
    return hashlib.sha256(text.removesuffix("\n").encode()).hexdigest()
