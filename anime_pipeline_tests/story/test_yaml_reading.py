"""Defends the reading of YAML: lines of values, plain words as meant, no way to exhaust the machine."""

from __future__ import annotations

import pytest

from anime_pipeline.story.yaml_reading import UnreadableYamlError, read_yaml


def test_values_know_their_lines() -> None:
    document = read_yaml("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n")
    assert document.data == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert document.line_of(("b", 1, "d")) == 5
    assert document.line_of(("b", 0)) == 3
    assert document.line_of(("b", 1, "missing")) == 4
    assert document.line_of(("nowhere",)) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [("No", "No"), ("on", "on"), ("yes", "yes"), ("12:30", "12:30"), ("2024-07-07", "2024-07-07"),
     ("0040", 40), ("-7", -7), ("1.5", 1.5), ("1e3", 1000.0), ("true", True), ("False", False),
      ("~", None), ("", None),
     ("'40'", "40"), ("1e999", "1e999"), (".inf", ".inf"), ("0x10", "0x10"), ("1_000", "1_000"),
     ("!!str 4", "4")],
)  # fmt: skip
def test_plain_words_are_what_a_writer_means(written: str, meant: object) -> None:
    value = read_yaml(f"key: {written}\n").data["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_a_key_given_twice_is_a_problem_and_the_first_counts() -> None:
    document = read_yaml("a: 1\nb: 2\na: 3\n")
    assert document.data == {"a": 1, "b": 2}
    [problem] = document.problems
    assert (problem.line, problem.location) == (3, ("a",))
    assert "line 1" in (problem.suggestion or "")


def test_anchors_aliases_and_merges_are_read() -> None:
    document = read_yaml("base: &base {x: 1, y: 2}\nmore:\n  <<: *base\n  y: 3\nsame: *base\n")
    assert document.data["more"] == {"x": 1, "y": 3}
    assert document.data["same"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1, 2", 1), ("a: 1\n\tb: 2", 2), ("a: *nothing", 1), ("a: &x [*x]", 1), ("a: 1\n---\nb: 2", 2),
     ("a: !!python/object:os.system x", 1), ("\na: @x", 2), ("a: \x07", 1), ('a: "\\0"', 1),
     ("? [a]\n: b", 1), ("a: !mine {b: 1}", 1)],
)  # fmt: skip
def test_what_is_unreadable_has_a_line_and_a_reason(text: str, line: int) -> None:
    with pytest.raises(UnreadableYamlError) as caught:
        read_yaml(text)
    assert abs(caught.value.problem.line - line) <= 1
    assert caught.value.problem.message


def test_deep_nesting_and_multiplied_aliases_are_refused() -> None:
    for text in ("[" * 200_000, "- " * 5_000, "{a: " * 5_000):
        with pytest.raises(UnreadableYamlError, match="nested deeper"):
            read_yaml(text)
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    with pytest.raises(UnreadableYamlError, match="aliases multiply"):
        read_yaml(bomb)
