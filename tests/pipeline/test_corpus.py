"""The reader takes a corpus apart example by example, as a TOML parser would have taken it whole."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from builders import PAIRS, write_corpus
from wgsl_pipeline.corpus import Example, corpus_files, read_examples
from wgsl_pipeline.errors import CorpusError

DATA = Path(__file__).parents[2] / "data"

ONE = '[[examples]]\nnatural_language = "one"\nwgsl_code = "1"\n'
TWO = '[[examples]]\nnatural_language = "two"\nwgsl_code = "2"\n'


def read(tmp_path: Path, text: str) -> list[Example]:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return list(read_examples(path))


def pairs(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    return [(example.prompt, example.code) for example in read(tmp_path, text)]


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(tmp_path / "c.toml"))


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    "file", [f for f in corpus_files(DATA) if f.parent.name != "recipes"], ids=lambda file: file.name
)
def test_the_repositorys_corpora_read_as_a_toml_parser_reads_them(file: Path) -> None:
    with file.open("rb") as stream:
        whole = tomllib.load(stream)
    wanted = [
        (row["natural_language"].strip(), row["wgsl_code"].strip(), row.get("category", whole.get("category", "")))
        for row in whole["examples"]
    ]
    assert [(e.prompt, e.code, e.category) for e in read_examples(file)] == wanted


def test_examples_come_in_order_with_their_lines(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "c.toml")
    examples = list(read_examples(path))
    assert [(e.prompt, e.code) for e in examples] == PAIRS
    lines = path.read_text(encoding="utf-8").splitlines()
    assert {lines[e.line - 1] for e in examples} == {"[[examples]]"}
    assert len({e.line for e in examples}) == len(PAIRS)
    assert {e.file for e in examples} == {path}


@pytest.mark.parametrize("quotes", ["'''", '"""'])
def test_a_header_inside_a_string_of_several_lines_is_code(tmp_path: Path, quotes: str) -> None:
    text = f"[[examples]]\nnatural_language = 'toml'\nwgsl_code = {quotes}\nx\n[[examples]]\ny\n{quotes}\n\n{TWO}"
    assert pairs(tmp_path, text) == [("toml", "x\n[[examples]]\ny"), ("two", "2")]


@pytest.mark.parametrize(
    "code",
    [
        "'''let s = \"\"\";'''",
        '"""it\'s \'\'\' quoted"""',
        '"""one " two "" three \\""" four"""',
        '"""five"""""',
        "'''six'''''",
        "\"one line with ''' in it\"",
        '"one line with \\"\\"\\" in it"',
        '\'one line with """ in it\'',
        "''",
        "'x' # a remark with ''' in it",
        '"x" # a remark with """ in it',
        "'''\n# no remark: '''",
    ],
)
def test_quotes_inside_strings_and_remarks_do_not_hide_the_next_example(tmp_path: Path, code: str) -> None:
    text = f"# '''\n[[examples]]\nnatural_language = 'quotes'\nwgsl_code = {code}\n{TWO}"
    found = tomllib.loads(text)["examples"]
    if not found[0]["wgsl_code"]:
        assert refusal(tmp_path, text).startswith(":2: ")
    else:
        assert pairs(tmp_path, text) == [(row["natural_language"], row["wgsl_code"].strip()) for row in found]


@pytest.mark.parametrize("header", ["[[examples]]  # first", "  [[examples]]", "[[ examples ]]", "[[examples]]\t"])
def test_every_spelling_of_a_header_begins_an_example(tmp_path: Path, header: str) -> None:
    text = (ONE + TWO).replace("[[examples]]", header)
    assert pairs(tmp_path, text) == [("one", "1"), ("two", "2")]
    assert [example.line for example in read(tmp_path, text)] == [1, 4]


def test_examples_written_as_one_array_are_all_read(tmp_path: Path) -> None:
    rows = ", ".join(f'{{natural_language = "p{k}", wgsl_code = "{k}"}}' for k in range(3))
    assert pairs(tmp_path, f"examples = [{rows}]\n") == [("p0", "0"), ("p1", "1"), ("p2", "2")]


def test_the_category_of_the_file_holds_where_an_example_has_none(tmp_path: Path) -> None:
    examples = read(tmp_path, 'category = "all"\n' + ONE + TWO + 'category = "own"\n')
    assert [example.category for example in examples] == ["all", "own"]
    assert [example.category for example in read(tmp_path, ONE)] == [""]


def test_white_space_at_the_ends_of_prompt_and_code_is_dropped(tmp_path: Path) -> None:
    text = "[[examples]]\nnatural_language = '  a b '\nwgsl_code = '''\n  x;\n  y;\n'''\n"
    assert pairs(tmp_path, text) == [("a b", "x;\n  y;")]


def test_windows_line_ends_read_as_the_others(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(
        (ONE + "[[examples]]\nnatural_language = 'w'\nwgsl_code = '''\na\nb'''\n").encode().replace(b"\n", b"\r\n")
    )
    assert [(e.prompt, e.code) for e in read_examples(path)] == [("one", "1"), ("w", "a\nb")]


def test_an_empty_file_holds_no_examples(tmp_path: Path) -> None:
    assert read(tmp_path, "") == []
    assert read(tmp_path, "# nothing yet\n") == []


def test_only_one_example_is_read_ahead(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(ONE + TWO + "broken\n", encoding="utf-8")
    examples = read_examples(path)
    assert next(examples).prompt == "one"
    with pytest.raises(CorpusError):
        next(examples)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE + TWO + "wgsl_code = [\n", ":4: not TOML"),
        (ONE + "[[examples]]\nnatural_language = two\n", ":5: not TOML"),
        ("category = \n" + ONE, ":1: not TOML"),
        (ONE + TWO.replace('"2"', "'''2"), ":4: not TOML"),
        (ONE + TWO + 'wgsl_code = "again"\n', ":7: not TOML"),
    ],
)
def test_broken_toml_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE + TWO + "code = 'x'\n", ":4: unknown key code; there are category, natural_language, wgsl_code"),
        ("author = 'me'\n" + ONE, ":1: unknown key author"),
        (ONE + "[extra]\nkey = 1\n" + TWO, ":1: unknown key extra"),
        (ONE + "[[examples]]\nnatural_language = 'x'\n", ":4: natural_language and wgsl_code are both needed"),
        (ONE + "[[examples]]\nwgsl_code = 'x'\n", ":4: natural_language and wgsl_code are both needed"),
        (ONE + TWO.replace('"two"', '"  "'), ":4: natural_language and wgsl_code are both needed"),
        (ONE + TWO.replace('"2"', "'''\n\n'''"), ":4: natural_language and wgsl_code are both needed"),
        (ONE + TWO.replace('"2"', "2"), ":4: wgsl_code is not a string"),
        (ONE + TWO.replace('"two"', "['two']"), ":4: natural_language is not a string"),
        (ONE + TWO + "category = 1\n", ":4: category is not a string"),
        ("category = 1\n" + ONE, ":1: category is not a string"),
        (ONE + TWO.replace('"two"', '"two\\nlines"'), ":4: natural_language has more than one line"),
        ("[examples]\nnatural_language = 'x'\nwgsl_code = 'y'\n", ":1: examples is no list of tables"),
        ("examples = 5\n", ":1: examples is no list of tables"),
        ("examples = [5]\n", ":1: examples is no list of tables"),
    ],
)
def test_an_example_of_another_form_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"category = '\xff'\n")
    with pytest.raises(CorpusError, match=r"c\.toml: not UTF-8 text"):
        list(read_examples(path))


# ---------------------------------------------------------------- files and folders


def test_the_files_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.toml", "a/z.toml", "c.toml", "a/y.toml", "a.toml"):
        write_corpus(tmp_path / "corpus" / name)
    (tmp_path / "corpus" / "notes.txt").write_text("not a corpus", encoding="utf-8")
    found = [str(file.relative_to(tmp_path / "corpus")) for file in corpus_files(tmp_path / "corpus")]
    assert found == ["a/y.toml", "a/z.toml", "a.toml", "b.toml", "c.toml"]


def test_one_file_is_a_corpus(tmp_path: Path) -> None:
    file = write_corpus(tmp_path / "c.toml")
    assert corpus_files(file) == [file]


def test_a_corpus_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.toml: no such corpus"):
        corpus_files(tmp_path / "nowhere.toml")


def test_a_folder_without_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no TOML file"):
        corpus_files(tmp_path)
