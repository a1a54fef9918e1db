"""Do names and numbers come back as they were given? 1,000 prompts with names and numbers made up of random characters.

    python benchmarks/copying.py [--model DIR] [--count N]

A prompt counts as right if every name and number it gives stands in the answer, in the literal the type needs.
"""

from __future__ import annotations

import argparse
import random
import re
import string

from wgsl_infer import Generator

# {a}..{c} are names, {n} and {m} numbers; plain requests, so that what is measured is the copying
REQUESTS = """
dot product of {a} and {b}
normalize {a}
clamp {a} between {n} and {m}
mix {a} and {b} by {n}
the length of {a}
sine of {a}
{a} plus {b}
multiply {a} by {n}
distance between {a} and {b}
cross product of {a} and {b}
the maximum of {a} and {n}
{a} to the power of {n}
reflect {a} about {b}
smoothstep from {n} to {m} at {a}
declare a variable {a} equal to {n}
add {n} to {a}
absolute value of {a} minus {b}
function {a} that squares {b}
if {a} is greater than {n} set {b} to {m}
lerp from {a} to {b} with {c}
store the fract of {a} in {b}
step of {a} with edge {n}
x component of {a}
{a} modulo {n}
uniform buffer {a} of type f32 at binding 3 in group 1
""".strip().splitlines()


def made_name(draw: random.Random) -> str:
    """Letters that spell nothing, in one of the usual styles."""
    parts = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(3, 7))) for _ in range(draw.choice([1, 2, 2]))]
    style = draw.randrange(4)
    if style == 0:
        return parts[0] + "".join(part.capitalize() for part in parts[1:]) + str(draw.randint(0, 99))
    if style == 1:
        return "_".join(parts) + "_" + draw.choice(string.ascii_lowercase)
    if style == 2:
        return "".join(part.capitalize() for part in parts) + draw.choice(string.ascii_uppercase)
    return parts[0] + "_" + str(draw.randint(10, 999))


def made_number(draw: random.Random) -> str:
    """Digits that no one would pick."""
    return draw.choice(
        [f"{draw.uniform(0, 1):.{draw.randint(4, 6)}f}", f"{draw.uniform(5, 5000):.3f}", str(draw.randint(5000, 99999))]
    )


def comes_back(prompt: str, given: dict[str, str], code: str | None) -> bool:
    """Whether each name and number of the prompt is in the code."""
    if code is None:
        return False
    words = set(re.findall(r"[A-Za-z_]\w*", code))
    numbers = {float(text) for text in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", code)}
    return all((float(value) in numbers) if key in "nm" else (value in words) for key, value in given.items())


def main() -> None:
    """Print how many come back, and the first that do not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    generate, draw = Generator(options.model), random.Random(0)
    wrong = []
    for k in range(options.count):
        request = REQUESTS[k % len(REQUESTS)]
        given = {key: made_number(draw) if key in "nm" else made_name(draw) for key in re.findall(r"\{(\w)\}", request)}
        if "n" in given and "m" in given and float(given["n"]) > float(given["m"]):
            given["n"], given["m"] = given["m"], given["n"]
        prompt = request.format(**given)
        code = generate(prompt).code
        if not comes_back(prompt, given, code):
            wrong.append((prompt, code))
    print(f"{options.count - len(wrong)} of {options.count} prompts: all names and numbers come back")
    for prompt, code in wrong[:10]:
        print(f"  {prompt!r}: {code!r}")


if __name__ == "__main__":
    main()
