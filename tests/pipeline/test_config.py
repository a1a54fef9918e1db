"""A configuration loads whole or is refused with a line that names file, table and key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from builders import small_config
from wgsl_pipeline.config import TABLES, Config, load_config
from wgsl_pipeline.errors import ConfigError
from wgsl_pipeline.render import render_config

REPOSITORY = Path(__file__).parents[2]

# the configuration of the seed's report, to the letter
SEED = """\
[task]
name = "wgsl_generation"
task_type = "code_generation"

[model]
architecture = "transformer"
d_model = 512
nhead = 8
num_layers = 6
dim_feedforward = 2048
dropout = 0.1
max_seq_len = 512

[training]
num_epochs = 100
batch_size = 16
learning_rate = 0.0001
optimizer = "adamw"
early_stopping = true
early_stopping_patience = 15
gradient_clip_norm = 1.0
save_every = 10

[tokenizer]
tokenizer_type = "wgsl"
max_length = 512
lowercase = false
min_freq = 1

[dataset]
train_path = "config/wgsl_training_data.toml"
train_ratio = 0.8
val_ratio = 0.1
"""

# where the repository's own configuration of the 44 M model departs from the seed's
DEPARTURES = {"dataset.train_path", "training.learning_rate"}

MINIMAL = '[task]\nname = "t"\n[dataset]\ntrain_path = "c.toml"\n'


def load(tmp_path: Path, text: str, *overrides: str) -> Config:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, overrides)


def refusal(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def values(config: Config) -> dict[str, Any]:
    return {
        f"{table}.{key}": value for table in TABLES for key, value in dataclasses.asdict(getattr(config, table)).items()
    }


def given(text: str) -> dict[str, Any]:
    return {f"{table}.{key}": value for table, rows in tomllib.loads(text).items() for key, value in rows.items()}


# ---------------------------------------------------------------- what loads


def test_the_seeds_own_configuration_loads_unchanged(tmp_path: Path) -> None:
    config = load(tmp_path, SEED)
    seed = given(SEED)
    assert len(seed) == 24
    loaded = values(config)
    assert {key: loaded[key] for key in seed} == seed
    assert [type(loaded[key]) for key in seed] == [type(value) for value in seed.values()]


def test_the_seeds_configuration_writes_below_runs_and_its_name(tmp_path: Path) -> None:
    config = load(tmp_path, SEED)
    assert config.data_folder == Path("runs/wgsl_generation/data")
    assert config.checkpoint_folder == Path("runs/wgsl_generation/checkpoints")
    assert config.bundle_folder == Path("runs/wgsl_generation/bundle")


def test_the_repositorys_configuration_holds_every_key_there_is() -> None:
    path = REPOSITORY / "config" / "wgsl_generation.toml"
    written = given(path.read_text(encoding="utf-8"))
    assert sorted(written) == sorted(values(load_config(path)))


def test_the_repositorys_configuration_explains_every_key() -> None:
    lines = (REPOSITORY / "config" / "wgsl_generation.toml").read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if re.match(r"\w+ =", line)]
    assert [line for line in settings if not re.search(r"  # \S.{5,}", line)] == []


def test_the_repositorys_configuration_keeps_the_seeds_values_but_for_the_listed_ones() -> None:
    ours = values(load_config(REPOSITORY / "config" / "wgsl_generation.toml"))
    assert {key for key, value in given(SEED).items() if ours[key] != value} <= DEPARTURES
    assert ours["dataset.train_path"] == "data/wgsl_training_data.toml"


def test_only_a_name_and_a_corpus_are_required(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert (config.task.name, config.dataset.train_path) == ("t", "c.toml")
    for text, key in ((MINIMAL.replace('name = "t"', ""), "[task] name"), ('[task]\nname = "t"\n', "train_path")):
        assert key in refusal(tmp_path, text)
        assert "missing" in refusal(tmp_path, text)


def test_a_whole_number_is_a_float_where_one_is_wanted(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL + "[training]\ngradient_clip_norm = 2\n")
    assert type(config.training.gradient_clip_norm) is float


# ---------------------------------------------------------------- what is refused


def test_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    message = refusal(tmp_path, MINIMAL + "[training]\nlerning_rate = 0.1\n")
    assert message == f"{tmp_path / 'own.toml'}: [training] unknown key lerning_rate: did you mean learning_rate?"


def test_an_unknown_table_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    message = refusal(tmp_path, MINIMAL + "[trainig]\nnum_epochs = 3\n")
    assert message == f"{tmp_path / 'own.toml'}: unknown table [trainig]: did you mean [training]?"


def test_a_key_like_no_other_is_refused_without_a_guess(tmp_path: Path) -> None:
    assert refusal(tmp_path, MINIMAL + "[model]\nzzz = 1\n").endswith("unknown key zzz")


def test_a_key_outside_any_table_is_refused(tmp_path: Path) -> None:
    assert "d_model" in refusal(tmp_path, "d_model = 512\n" + MINIMAL)
    assert "model" in refusal(tmp_path, "model = 512\n" + MINIMAL)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("model.d_model = '512'", "int"),
        ("model.d_model = 512.0", "int"),
        ("model.d_model = true", "int"),
        ("model.dropout = '0.1'", "float"),
        ("model.tie_output = 1", "bool"),
        ("tokenizer.lowercase = 'no'", "bool"),
        ("output.dir = 3", "str"),
        ("training.num_epochs = [1]", "int"),
    ],
)
def test_a_value_of_another_type_is_refused(tmp_path: Path, line: str, kind: str) -> None:
    name, value = line.split(" = ")
    message = refusal(tmp_path, MINIMAL, f"{name}={value}")
    table, key = name.split(".")
    assert f"own.toml: [{table}] {key} = " in message
    assert message.endswith(f"is not of type {kind}")


@pytest.mark.parametrize(
    "override",
    [
        "model.d_model=0",
        "model.dropout=1.0",
        "model.dropout=-0.1",
        "model.activation=tanh",
        "model.max_seq_len=7",
        "training.learning_rate=0.0",
        "training.learning_rate=nan",
        "training.learning_rate=inf",
        "training.num_epochs=0",
        "training.batch_size=-1",
        "training.optimizer=sgd",
        "training.seed=-1",
        "tokenizer.tokenizer_type=bpe",
        "tokenizer.min_freq=0",
        "dataset.train_ratio=1.5",
        "dataset.split=random",
        "dataset.rows_per_shard=0",
        "export.beam=0",
    ],
)
def test_a_value_out_of_its_range_is_refused(tmp_path: Path, override: str) -> None:
    message = refusal(tmp_path, MINIMAL, override)
    table, key = override.split("=")[0].split(".")
    assert f"own.toml: [{table}] {key} = " in message
    assert "is not between" in message or "is not one of" in message


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model.d_model=10", "model.nhead=4"], ["[model] d_model = 10", "nhead = 4"]),
        (["model.d_model=9", "model.nhead=3"], ["[model] d_model = 9"]),
        (["model.max_seq_len=64"], ["[tokenizer] max_length = 512", "[model] max_seq_len = 64"]),
        (["dataset.train_ratio=0.8", "dataset.val_ratio=0.3"], ["[dataset] train_ratio", "val_ratio", "1.1"]),
        (["dataset.train_ratio=0.0"], ["[dataset] train_ratio"]),
        (["task.name=../up"], ["[task] name", "../up"]),
        (['task.name=""'], ["[task] name"]),
    ],
)
def test_values_impossible_together_are_refused(tmp_path: Path, overrides: list[str], named: list[str]) -> None:
    message = refusal(tmp_path, MINIMAL, *overrides)
    assert "own.toml" in message
    assert [name for name in named if name not in message] == []


def test_ratios_that_add_up_to_one_are_possible(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL, "dataset.train_ratio=0.9", "dataset.val_ratio=0.1")
    assert config.dataset.val_ratio == 0.1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_a_file_that_is_no_toml_is_named_with_the_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[task]\nname = wgsl\n")
    assert message.startswith(f"{tmp_path / 'own.toml'}: not TOML: ")
    assert "line 2" in message


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xff\xfe[task]")
    with pytest.raises(ConfigError, match=r"own\.toml: not TOML"):
        load_config(path)


# ---------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.learning_rate=3e-4", 3e-4),
        ("training.num_epochs = 7", 7),
        ("training.early_stopping=false", False),
        ("training.monitor=train_loss", "train_loss"),
        ('training.monitor="train_loss"', "train_loss"),
        ("dataset.train_path=data/a=b.toml", "data/a=b.toml"),
        ("output.dir=", ""),
    ],
)
def test_an_override_is_a_toml_value_or_a_bare_string(tmp_path: Path, override: str, value: object) -> None:
    found = values(load(tmp_path, SEED, override))[override.split("=")[0].strip()]
    assert found == value
    assert type(found) is type(value)


def test_the_last_override_of_a_key_counts(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL, "model.num_layers=2", "model.num_layers=3")
    assert config.model.num_layers == 3


def test_an_override_opens_a_table_the_file_lacks(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL, "export.beam=4").export.beam == 4


@pytest.mark.parametrize("override", ["num_epochs=3", "training.num_epochs", "trainig.num_epochs=3", "=", ""])
def test_an_override_of_another_form_is_refused(tmp_path: Path, override: str) -> None:
    message = refusal(tmp_path, MINIMAL, override)
    assert message.startswith(f"--set {override}: write table.key=value")
    assert "training" in message


def test_an_override_of_an_unknown_key_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    assert "did you mean num_epochs?" in refusal(tmp_path, MINIMAL, "training.num_epoch=3")


# ---------------------------------------------------------------- rendering and digests


def test_a_rendered_configuration_loads_as_the_same(tmp_path: Path) -> None:
    config = small_config(tmp_path, {"model.norm": "pre", "training.label_smoothing": 1e-7, "model.tie_output": True})
    odd = dataclasses.replace(config.dataset, train_path='data/"quoted" \\ grün 🎨\t.toml')
    config = dataclasses.replace(config, dataset=odd)
    again = load(tmp_path, render_config(config))
    assert values(again) == values(config)


def test_a_rendered_configuration_describes_every_key_in_a_readable_line(tmp_path: Path) -> None:
    text = render_config(small_config(tmp_path))
    settings = [line for line in text.splitlines() if re.match(r"\w+ =", line)]
    assert len(settings) == len(values(small_config(tmp_path)))
    assert [line for line in settings if "  # " not in line] == []
    assert "(post, pre)" in text
    assert "(0 to 0.9)" in text


def test_a_digest_changes_with_the_tables_it_is_of_and_with_no_other(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    other = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=1))
    assert config.digest("model", "training") != other.digest("model", "training")
    assert config.digest("model", "dataset") == other.digest("model", "dataset")
