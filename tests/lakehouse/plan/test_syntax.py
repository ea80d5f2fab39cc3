"""What of a module's text counts."""

from __future__ import annotations

import pytest

from lakehouse.plan.syntax import syntax_of

CODE = '''
from lakehouse.declare import column

def grams(pounds: float) -> float:
    """Grams."""
    # A pound is 0.45359237 kg.
    return pounds * 453.59237

COLUMNS = [column("weight", "double", "g"), column("name", "string", comment="who")]
'''
SAME = {
    "no docstring": CODE.replace('    """Grams."""\n', ""),
    "another comment": CODE.replace("# A pound", "# The pound"),
    "other line breaks": CODE.replace('column("weight", "double", "g")', 'column(\n    "weight",\n    "double",\n    "g",\n)'),
    "another comment of a column": CODE.replace('"double", "g"', '"double", f"{1}"'),
    "another comment by name": CODE.replace('comment="who"', 'comment="whose"'),
    "a docstring where there was none": CODE + '"""What they are."""\n',
    "other quotes": CODE.replace('"weight"', "'weight'"),
}
OTHER = {
    "another number": CODE.replace("453.59237", "453.5924"),
    "a number as text": CODE.replace("453.59237", '"453.59237"'),
    "another name of a column": CODE.replace('"weight"', '"mass"'),
    "another type of a column": CODE.replace('"double"', '"bigint"'),
    "a constraint more": CODE.replace('"double", "g"', '"double", "g", at_least=0'),
    "another order": CODE.replace("pounds * 453.59237", "453.59237 * pounds"),
    "another default": CODE.replace("pounds: float", "pounds: float = 1.0"),
    "another function that is no column": CODE.replace("column(", "row("),
    "a value that is used": CODE.replace('    """Grams."""\n', '    text = """Grams."""\n'),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_what_means_the_same_has_the_same_tree(text: str) -> None:
    assert text != CODE
    assert syntax_of(text.encode()).tree == syntax_of(CODE.encode()).tree


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER)
def test_what_means_something_else_has_another_tree(text: str) -> None:
    assert text != CODE
    assert syntax_of(text.encode()).tree != syntax_of(CODE.encode()).tree


def test_every_change_has_a_tree_of_its_own() -> None:
    assert len({syntax_of(text.encode()).tree for text in OTHER.values()}) == len(OTHER)


def test_the_tree_is_the_same_in_every_python() -> None:
    # Recorded with Python 3.11; the hosted CI runs this with 3.11 to 3.14.
    text = "class A:\n    x: int = 1\n\ndef f(*a, b=f'{1:.2f}é', **k):\n    return [*a, lambda: k]\n"
    assert syntax_of(text.encode()).tree == "276a3c9e41f9d193159213e0c80894186b852561084e41e1d18badae5a31d09f"


def test_imports_are_listed_with_all_that_they_may_name() -> None:
    text = "import a.b, c as d\nfrom e import f as g, h\nfrom . import i\nfrom .j import k\n"
    assert syntax_of(text.encode()).imports == ("a.b", "c", "e", "e.f", "e.h")


def test_a_module_that_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        syntax_of(b"def (:\n")
