"""The check of the site finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_site.links import dead_links, external_requests


def site(folder: Path, **pages: str) -> Path:
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
    return folder


def test_links_that_lead_somewhere_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a b.png").write_bytes(b"")
    (tmp_path / "pictures" / "index.html").write_text("<p>pictures</p>", "utf-8")
    site(
        tmp_path,
        index='<a href="other.html#part">x</a><a href="#top"></a><p id="top"><img src="pictures/a%20b.png"><a href="pictures/">',
        other='<h2 id="part">Part</h2><a href="https://example.org/gone">elsewhere</a><a href="mailto:a@example.org">',
    )
    assert dead_links(tmp_path) == []


@pytest.mark.parametrize(
    "link",
    [
        '<a href="missing.html">',
        '<img src="missing.png">',
        '<a href="other.html#missing">',
        '<a href="#missing">',
        '<a href="../outside.html">',
        '<svg><a href="missing.html"><text>x</text></a></svg>',
    ],
)
def test_a_link_to_nothing_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "outside.html").write_text("", "utf-8")
    folder = tmp_path / "site"
    folder.mkdir()
    assert len(dead_links(site(folder, index=link, other="<p>other</p>"))) == 1


@pytest.mark.parametrize(
    "request_",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example.org/css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img src="http://example.org/x.png">',
        '<img srcset="a.png 1x, https://example.org/b.png 2x">',
        '<svg><image xlink:href="https://example.org/x.png"/></svg>',
        '<iframe src="https://example.org"></iframe>',
        "<style>@import url('https://fonts.example.org/css');</style>",
        '<p style="background: url(https://example.org/x.png)">',
        '<script>fetch("https://example.org/count")</script>',
        '<script type="module">import mermaid from "https://cdn.example.org/mermaid.mjs"</script>',
    ],
)
def test_a_request_to_another_host_is_found(tmp_path: Path, request_: str) -> None:
    assert len(external_requests(site(tmp_path, index=request_))) == 1


def test_requests_of_styles_and_scripts_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example.org/a.woff2) }", "utf-8")
    (tmp_path / "a.js").write_text('const s = document.createElement("script"); s.src = "https://example.org/a.js"', "utf-8")
    assert len(external_requests(tmp_path)) == 2


def test_links_to_click_and_own_files_are_no_requests(tmp_path: Path) -> None:
    page = (
        '<link rel="stylesheet" href="_static/a.css"><link rel="canonical" href="https://example.org/">'
        '<a href="https://example.org">x</a><img src="a.png"><img src="data:image/png;base64,AAAA">'
        "<style>p { background: url(a.png) }</style>"
        '<svg xmlns="http://www.w3.org/2000/svg"></svg><script>// see https://example.org\nfetch("searchindex.js")</script>'
    )
    assert external_requests(site(tmp_path, index=page)) == []
