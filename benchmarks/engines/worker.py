"""One engine in a process of its own: reads tasks as JSON lines, decodes, answers with times and tokens.

    python -m benchmarks.engines.worker ENGINE BUNDLE THREADS FOLDER

A task is {"prompts": [[ids]], "beam": 1, "together": false, "limit": 200}; with `together` all prompts are one batch.
The answer is {"ms": ..., "ids": [[ids]]}, without the sentinels. FOLDER holds what was converted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Ids = list[list[int]]
Decode = Callable[[Ids, int, int], Ids]  # prompts of one batch, beam width, most tokens


def wgsl_infer(bundle: Path, precision: str, threads: int) -> Decode:
    """This project's runtime."""
    import numpy as np

    from wgsl_infer.bundle import Bundle
    from wgsl_infer.search import beam, greedy
    from wgsl_infer.session import OnnxModel

    opened = Bundle.open(bundle)
    model = OnnxModel(opened, precision, threads=threads)
    mask = np.ones(opened.manifest["tokenizer"]["size"], dtype=np.bool_)

    def decode(prompts: Ids, width: int, limit: int) -> Ids:
        if width > 1:
            found = [
                beam(model.start([p]), mask, width=width, max_tokens=limit, alpha=0.0, wanted=1)[0] for p in prompts
            ]
        elif len(prompts) == 1:
            found = [model.answer(prompts[0], mask, max_tokens=limit)]
        else:
            found = greedy(model.start(prompts), np.tile(mask, (len(prompts), 1)), max_tokens=limit)
        return [list(hypothesis.ids) for hypothesis in found]

    return decode


def ctranslate2(folder: Path, precision: str, threads: int) -> Decode:
    """CTranslate2, with one replica."""
    import ctranslate2

    translator = ctranslate2.Translator(
        str(folder / f"ctranslate2-{precision}"), compute_type=precision, inter_threads=1, intra_threads=threads
    )

    def decode(prompts: Ids, width: int, limit: int) -> Ids:
        results = translator.translate_batch(
            [[str(k) for k in prompt] for prompt in prompts],
            beam_size=width,
            length_penalty=0.0,
            max_decoding_length=limit,
        )
        return [[int(token) for token in result.hypotheses[0]] for result in results]

    return decode


def transformers(bundle: Path, threads: int) -> Decode:
    """MarianMT's generate of Hugging Face's transformers, float32."""
    import torch

    from benchmarks.engines.convert import marian

    torch.set_num_threads(threads)
    model = marian(bundle)

    def decode(prompts: Ids, width: int, limit: int) -> Ids:
        longest = max(map(len, prompts))
        source = torch.tensor([[*p, *[0] * (longest - len(p))] for p in prompts])
        with torch.inference_mode():
            found = model.generate(
                input_ids=source,
                attention_mask=(source != 0).long(),
                num_beams=width,
                length_penalty=0.0,
                max_new_tokens=limit,
                do_sample=False,
            )
        return [_between(row) for row in found.tolist()]

    return decode


def torch_eager(bundle: Path, threads: int) -> Decode:
    """The network as it was trained, in PyTorch with a key/value cache, float32."""
    import numpy as np
    import torch

    from benchmarks.engines.convert import trained
    from wgsl_infer.search import beam, greedy
    from wgsl_pipeline.decoding import TorchDecoding

    torch.set_num_threads(threads)
    model, answers = trained(bundle)
    mask = np.zeros(len(model.embedding.weight), dtype=np.bool_)
    mask[answers] = True

    def decode(prompts: Ids, width: int, limit: int) -> Ids:
        with torch.inference_mode():
            if width > 1:
                found = [
                    beam(TorchDecoding(model, [p]), mask, width=width, max_tokens=limit, alpha=0.0, wanted=1)[0]
                    for p in prompts
                ]
            else:
                masks = np.tile(mask, (len(prompts), 1))
                found = greedy(TorchDecoding(model, prompts), masks, max_tokens=limit)
        return [list(hypothesis.ids) for hypothesis in found]

    return decode


def _between(row: list[int]) -> list[int]:
    """The tokens between `<sos>` and `<eos>`."""
    from wgsl_infer.tokens import EOS

    return row[1 : row.index(EOS) if EOS in row else None]


def main(arguments: list[str]) -> None:
    """Serve until stdin ends."""
    name, bundle, threads, folder = arguments[0], Path(arguments[1]), int(arguments[2]), Path(arguments[3])
    engine, _, precision = name.partition(" ")
    decode = {
        "wgsl-infer": lambda: wgsl_infer(bundle, precision, threads),
        "CTranslate2": lambda: ctranslate2(folder, precision, threads),
        "transformers": lambda: transformers(bundle, threads),
        "PyTorch": lambda: torch_eager(bundle, threads),
    }[engine]()
    print("ready", flush=True)
    for line in sys.stdin:
        task: dict[str, Any] = json.loads(line)
        prompts = task["prompts"]
        batches = [prompts] if task["together"] else [[prompt] for prompt in prompts]
        began = time.perf_counter()
        found = [ids for batch in batches for ids in decode(batch, task["beam"], task["limit"])]
        print(json.dumps({"ms": (time.perf_counter() - began) * 1000, "ids": found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
