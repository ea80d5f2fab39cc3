"""Which two names are probably one."""

from __future__ import annotations

import pytest

from corrections.suggest import bare, is_near


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Killers", "Killers"),
        ("Beyoncé", "BEYONCE"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Imagine Dragons", "Imagin Dragons"),
        ("Radiohead", "Radiohaed"),
        ("Daft Punk", "DaftPunk"),
        ("Symphony Part II", "Symphony Part 2"),
    ],
)
def test_spellings_of_one_name_are_near(one: str, other: str) -> None:
    assert is_near(bare(one), bare(other))
    assert is_near(bare(other), bare(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Johnny Cash", "Johnny Nash"),
        ("Johann Strauss I", "Johann Strauss II"),
        ("Symphony Part 1", "Symphony Part 2"),
        ("Blink-182", "Blink-183"),
        ("Abba", "Abbo"),
        ("Arctic Monkeys", "Arctic Monkies"),
        ("!!!", "???"),
        ("Kings of Leon", "Kings of Lyon and others"),
    ],
)
def test_other_names_are_not_near(one: str, other: str) -> None:
    assert not is_near(bare(one), bare(other))
    assert not is_near(bare(other), bare(one))
