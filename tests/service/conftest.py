"""One service for the tests of a module, which change nothing that others see."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.serving import Serving


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("service"), {"serve_names": ["music.example.org"]}) as started:
        yield started
