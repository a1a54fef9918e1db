"""10,000 prompts of every kind: is each answer well-formed, does it compile, does nothing fail or take long?

    python -m benchmarks.ten_thousand [--model DIR] [--prompts FILE] [--count 10000]

Prompts are those of FILE (one a line, such as a benchmark's), of the corpora in data/, random words, fuzzed ones,
bytes, other languages, and 5,000 characters at a time. Answers are read by an automaton made anew from the grammar's
file, and compiled by naga where there is an adapter.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from wgsl_export.grammar import grammar_tables
from wgsl_infer import Generator
from wgsl_infer.errors import EnvironmentLacks
from wgsl_infer.grammar import Grammar
from wgsl_infer.lexemes import split
from wgsl_infer.validation import Validator
from wgsl_pipeline.corpus import corpus_files, read_examples

ROOT = Path(__file__).parents[1]
KINDS = {"corpus": 0.45, "words": 0.2, "fuzzed": 0.12, "languages": 0.13, "bytes": 0.06, "long": 0.04}
LANGUAGES = """
normalisiere den Vektor v und multipliziere ihn mit zwei
calcule le produit scalaire de a et b
la raíz cuadrada de x más uno
ベクトルを正規化する
将颜色反转
вычислить длину вектора
πόσο είναι το ημίτονο του x
احسب طول المتجه
두 벡터의 외적
vektörü normalize et
przemnóż kolor przez dwa
tính độ dài của véc tơ
हरे रंग का शेडर
""".strip().splitlines()


def prompts(count: int, given: list[str], seed: int) -> Iterator[tuple[str, str]]:
    """Prompts with their kinds: first those given, then the others in their shares."""
    draw = random.Random(seed)
    files = [*corpus_files(ROOT / "data" / "pairs"), *corpus_files(ROOT / "data" / "held_out")]
    corpus = [example.prompt for file in files for example in read_examples(file)]
    words = sorted({word for prompt in corpus for word in prompt.split()})
    yield from (("given", prompt) for prompt in given)
    for _ in range(count - len(given)):
        kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
        if kind == "corpus":
            yield kind, draw.choice(corpus)
        elif kind == "words":
            yield kind, " ".join(draw.choices(words, k=draw.randint(1, 12)))
        elif kind == "fuzzed":
            yield kind, _fuzzed(draw, draw.choice(corpus))
        elif kind == "languages":
            yield kind, f"{draw.choice(LANGUAGES)} {draw.choice(words) if draw.random() < 0.5 else ''}"
        elif kind == "bytes":
            yield kind, bytes(draw.randrange(256) for _ in range(draw.randint(1, 60))).decode("latin-1")
        else:
            yield (
                kind,
                (" ".join(draw.choices(words, k=1200)) if draw.random() < 0.5 else draw.choice(corpus) * 500)[:5000],
            )


def _fuzzed(draw: random.Random, prompt: str) -> str:
    letters = list(prompt)
    for _ in range(draw.randint(1, 6)):
        place = draw.randrange(len(letters) + 1)
        letters[place : place + draw.randint(0, 2)] = draw.choice(["", chr(draw.randrange(32, 0x3000)), "(", ";", "  "])
    return "".join(letters)


def main() -> None:
    """Answer all, count, and show what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    given = options.prompts.read_text(encoding="utf-8").splitlines() if options.prompts else []
    generate, grammar = Generator(options.model), Grammar(grammar_tables())
    try:
        validator: Validator | None = Validator()
    except EnvironmentLacks as error:
        validator = None
        print(f"not compiled: {error}")
    asked, answered, malformed, compiled = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    slowest, failures, times = (0.0, ""), [], []
    for kind, prompt in prompts(options.count, given, options.seed):
        asked[kind] += 1
        began = time.perf_counter()
        answer = generate(prompt)
        taken = time.perf_counter() - began
        times.append(taken)
        slowest = max(slowest, (taken, prompt))
        if answer.code is None:
            continue
        answered[kind] += 1
        if fault := grammar.fault(split(answer.code)):
            malformed[kind] += 1
            failures.append((kind, prompt, answer.code, str(fault)))
        if validator is not None:
            diagnostic = validator.diagnose(answer.code)
            compiled[kind] += diagnostic is None
            if diagnostic is not None:
                failures.append((kind, prompt, answer.code, diagnostic.message))
    print(f"{'kind':10} {'asked':>6} {'answered':>9} {'malformed':>10} {'compile':>8}")
    for kind in asked:
        print(f"{kind:10} {asked[kind]:6} {answered[kind]:9} {malformed[kind]:10} {compiled[kind]:8}")
    total = answered.total()
    print(f"{'all':10} {asked.total():6} {total:9} {malformed.total():10} {compiled.total():8}", end="  ")
    print(f"{compiled.total() / max(total, 1):.1%} compile" if validator else "not compiled")
    median = sorted(times)[len(times) // 2] * 1000
    print(f"median {median:.1f} ms, slowest {slowest[0] * 1000:.0f} ms: {slowest[1][:60]!r}")
    for failure in failures[:12]:
        print("  ", *(repr(part[:110]) for part in failure))


if __name__ == "__main__":
    main()
