"""Answers to a list of prompts, one JSON object a line, for a judge: {"prompt": ..., "code": ... or null}.

    python benchmarks/answers.py PROMPTS.txt [--model DIR] [--precision P] [--beam N] [--typos SEED] > answers.jsonl
    python benchmarks/answers.py PROMPTS.txt --retrieval config/wgsl_tiny.toml > answers.jsonl

`--typos` misspells one word of five letters or more in each prompt that has one, with one edit; the object still names
the prompt as it stood, so that the same judge can be used. `--retrieval` answers with the code of the nearest training
prompt (TF-IDF), its slots refilled.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from wgsl_infer import Generator
from wgsl_infer.lexemes import is_word, split


def main() -> None:
    """Read prompts, write answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--precision")
    parser.add_argument("--beam", type=int)
    parser.add_argument("--typos", type=int, metavar="SEED")
    parser.add_argument("--retrieval", type=Path, metavar="CONFIG")
    options = parser.parse_args()
    prompts = options.prompts.read_text(encoding="utf-8").splitlines()
    codes = retrieved(options.retrieval, prompts) if options.retrieval else generated(options, prompts)
    for prompt, code in zip(prompts, codes, strict=True):
        print(json.dumps({"prompt": prompt, "code": code}))


def generated(options: argparse.Namespace, prompts: list[str]) -> list[str | None]:
    """The model's answers."""
    generate = Generator(options.model, precision=options.precision)
    answers = [generate(prompt, beam=options.beam) for prompt in prompts]
    if options.typos is None:
        return [answer.code for answer in answers]
    from wgsl_pipeline.recipes.noise import slipped

    draw = random.Random(options.typos)
    misspelt = []
    for prompt, answer in zip(prompts, answers, strict=True):
        # what the answer copies is a name
        names = {lexeme for lexeme in split(answer.code or "") if is_word(lexeme)}
        misspelt.append(slipped(draw, prompt, names))
    changed = sum(a != b for a, b in zip(prompts, misspelt, strict=True))
    print(f"{changed} of {len(prompts)} prompts misspelt", file=sys.stderr)
    return [generate(prompt, beam=options.beam).code for prompt in misspelt]


def retrieved(path: Path, prompts: list[str]) -> list[str | None]:
    """The nearest training prompts' answers."""
    from wgsl_pipeline.config import load_config
    from wgsl_pipeline.dataset import Corpus
    from wgsl_pipeline.evaluation.retrieval import Retrieval

    retrieve = Retrieval(Corpus.open(load_config(path).data_folder))
    return [retrieve(prompt).code for prompt in prompts]


if __name__ == "__main__":
    main()
