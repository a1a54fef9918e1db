"""Do the types of an answer fit together, for some types of the operands it leaves to its surroundings?

First all free names are of any type, which finds most faults: functions that are not there, wrong numbers of arguments,
components that a vector does not have. Then types are tried for them: one for all, and else in a bounded search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from .expressions import Nonsense, Tree
from .program import Program
from .syntax import parse
from .types import BOOL, F32, I32, U32, Type

_V2, _V3, _V4 = (("vec", n, F32) for n in (2, 3, 4))
_COMMON: list[Type] = [F32, _V3, _V2, _V4, U32, I32, BOOL, ("mat", 4, 4), ("mat", 3, 3)]
_RARE: list[Type] = [
    ("mat", 2, 2),
    *(("vec", n, scalar) for scalar in (U32, I32, BOOL) for n in (3, 2, 4)),
    ("mat", 3, 4),
    ("mat", 4, 3),
]
_TRIES = 1200  # behind which an answer is given the benefit of the doubt


def fault(code: str | Sequence[str], known_calls: Collection[str] = ()) -> str | None:
    """What is wrong with an answer, in a few words; None if it makes sense.

    Args:
        code: the answer, or its lexemes.
        known_calls: functions that may be called without being declared: those that the prompt names.
    """
    try:
        trees = parse(code)
        names = _free_names(trees, {}, known_calls)
    except Nonsense as error:
        return str(error)
    except RecursionError:
        return "nested too deeply"
    for kind in _COMMON[:4]:  # one type for all is the usual case
        if _holds(trees, dict.fromkeys(names, kind), known_calls) is None:
            return None
    search = _Search(trees, names, known_calls)
    return None if search.run({}) or search.tries > _TRIES else search.reason


def _free_names(trees: list[Tree], assumed: Mapping[str, Type], known_calls: Collection[str]) -> list[str]:
    return list(Program(assumed, known_calls).check(trees))


def _holds(trees: list[Tree], assumed: Mapping[str, Type], known_calls: Collection[str]) -> str | None:
    try:
        _free_names(trees, assumed, known_calls)
    except Nonsense as error:
        return str(error)
    return None


class _Search:
    """Backtracking over the types of free names: a name is given a type while those behind it may still be anything."""

    def __init__(self, trees: list[Tree], names: list[str], known_calls: Collection[str]) -> None:
        self._trees, self._names, self._known_calls = trees, names, known_calls
        self.tries = 0
        self._reasons: Counter[str] = Counter()

    @property
    def reason(self) -> str:
        """What was wrong most often."""
        return self._reasons.most_common(1)[0][0]

    def run(self, assumed: dict[str, Type]) -> bool:
        """Whether types for all names can be found; gives up behind _TRIES."""
        if len(assumed) == len(self._names):
            return True
        name = self._names[len(assumed)]
        for kind in (*_COMMON, *_RARE):
            self.tries += 1
            if self.tries > _TRIES:
                return False
            longer = {**assumed, name: kind}
            found = _holds(self._trees, longer, self._known_calls)
            if found is None and self.run(longer):
                return True
            self._reasons.update([found] if found else [])
        return False
