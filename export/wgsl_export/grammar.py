"""wgsl.lark compiled into the LALR(1) tables that the runtime reads and steers answers with."""

from __future__ import annotations

from collections import Counter
from importlib.resources import files
from typing import Any

from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from wgsl_infer.grammar import FORMS

END = "$END"  # lark's terminal behind the last lexeme

# of a state, by terminal or nonterminal: the state to go to, or the rule (left side, length) to reduce
_Actions = dict[str, "int | tuple[str, int]"]


def grammar_tables(text: str | None = None) -> dict[str, Any]:
    """The tables of a grammar; `wgsl_infer.grammar.Grammar` says what they hold.

    Equal grammars give equal tables, whatever order lark numbers its states in.

    Args:
        text: in lark's notation, with a rule `answer_FORM` for every form of answer; by default WGSL's.

    Raises:
        lark.exceptions.LarkError: the text is no grammar, or not LALR(1).
    """
    if text is None:
        text = files(__package__).joinpath("wgsl.lark").read_text(encoding="utf-8")
    starts = [f"answer_{form}" for form in FORMS]
    parser = Lark(text, parser="lalr", start=starts, lexer="basic")
    # the form in which lark writes stand-alone parsers
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    spelling = {t.name: str(t.pattern.value) for t in parser.terminals} | {END: ""}
    table = data["parser"]["parser"]
    spelling |= {name: name for name in _declared(parser)}
    terminals = sorted(spelling.values())
    # in brackets, since a rule may be called like a word of the language
    names = {number: spelling.get(token, f"<{token}>") for number, token in table["tokens"].items()}
    states = {
        state: {names[number]: what if kind == 0 else _rule(memo[what["@"]]) for number, (kind, what) in row.items()}
        for state, row in table["states"].items()
    }
    for state in table["end_states"].values():
        states[state][spelling[END]] = state  # lark looks at the state instead
    first = [table["start_states"][start] for start in starts]
    order = _breadth_first(states, first)
    return _packed([states[state] for state in order], order, terminals) | {
        "starts": {form: order[state] for form, state in zip(FORMS, first, strict=True)}
    }


def _declared(parser: Lark) -> set[str]:
    """The terminals that the grammar names and does not spell."""
    spelled = {t.name for t in parser.terminals}
    symbols = {symbol for rule in parser.rules for symbol in rule.expansion if symbol.is_term}
    return {symbol.name for symbol in symbols} - spelled


def _rule(row: dict[str, Any]) -> tuple[str, int]:
    return f"<{row['origin']['name']}>", len(row["expansion"])


def _breadth_first(states: dict[int, _Actions], first: list[int]) -> dict[int, int]:
    """New numbers for the states, which depend on the grammar alone."""
    order = {state: k for k, state in enumerate(first)}
    queue = list(first)
    for state in queue:
        for _, target in sorted((name, what) for name, what in states[state].items() if isinstance(what, int)):
            if target not in order:
                order[target] = len(order)
                queue.append(target)
    return order


def _packed(rows: list[_Actions], order: dict[int, int], terminals: list[str]) -> dict[str, Any]:
    """Rows of numbers, equal ones once, with a default reduction instead of the commonest one."""
    number = {terminal: k for k, terminal in enumerate(terminals)}
    rules: dict[tuple[str, int], int] = {}
    nonterminals: dict[str, int] = {}
    actions: dict[tuple[int, ...], int] = {}
    gotos: dict[tuple[int, ...], int] = {}
    states = []
    for row in rows:
        reductions = Counter(what for what in row.values() if not isinstance(what, int))
        default = min(reductions, key=lambda rule: (-reductions[rule], rule)) if reductions else None
        acts, goes = [], []
        for name, what in sorted(row.items()):
            if isinstance(what, int) and name in number:
                acts += [number[name], order[what]]
            elif isinstance(what, int):
                goes += [nonterminals.setdefault(name, len(nonterminals)), order[what]]
            elif what != default:
                acts += [number[name], ~rules.setdefault(what, len(rules))]
        otherwise = -1 if default is None else rules.setdefault(default, len(rules))
        acts_row = actions.setdefault((otherwise, *acts), len(actions))
        states.append([acts_row, gotos.setdefault(tuple(goes), len(gotos))])
    return {
        "terminals": terminals,
        "rules": [[nonterminals[left], length] for left, length in rules],
        "actions": [list(row) for row in actions],
        "gotos": [list(row) for row in gotos],
        "states": states,
    }
