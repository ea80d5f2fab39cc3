"""Lineage drawings as SVG, made from the declarations: tables as linked boxes, in columns from upstream to downstream."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from docs_site.declared import CATEGORIES, GOLD, DocumentedTable

ROW, HEIGHT, GAP, PAD, TITLE = 26, 20, 44, 10, 20
MOST_ARROWS = 14
LETTER = 6.4
SWEEPS = 8

Edge = tuple[str, str]


@dataclass(frozen=True)
class Group:
    """Boxes that stand together in one column; groups of one title are framed together."""

    title: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """Where a table is drawn."""

    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + HEIGHT / 2


Column = list[Group]


def overview_svg(tables: Mapping[str, DocumentedTable]) -> str:
    """The categories and how many tables each has, with an arrow where a table of one reads a table of another."""
    members = {c: [t for t in tables.values() if t.category == c] for c in CATEGORIES}
    columns = [["landing"], ["bronze"], ["silver"], ["models", *GOLD[:2]], list(GOLD[2:])]
    notes = {
        "landing": "files as received",
        "bronze": "as the source wrote it",
        "silver": "every play accounted for",
        "models": "retrained rarely",
        GOLD[0]: "what, when, how much",
        GOLD[1]: "differences, intervals",
        GOLD[2]: "what comes next",
        GOLD[3]: "recommendations",
        GOLD[4]: "habits, moods, anomalies",
    }
    width, height, gap = 176, 46, 48
    tallest = max(map(len, columns))
    places: dict[str, tuple[float, float]] = {}
    for index, names in enumerate(columns):
        top = (tallest - len(names)) * (height + 26) / 2
        for row, name in enumerate(names):
            places[name] = (8 + index * (width + gap), 8 + top + row * (height + 26))
    pairs = {(tables[u].category, t.category) for t in tables.values() for u in t.upstreams}
    pairs = {pair for pair in pairs if pair[0] != pair[1] and set(pair) <= set(places)} | {("landing", "bronze")}
    parts = []
    for source, target in sorted(pairs):
        (x1, y1), (x2, y2) = places[source], places[target]
        if x2 > x1:
            parts.append(_curve(x1 + width, y1 + height / 2, x2, y2 + height / 2, "edge"))
        elif x2 == x1:
            top, bottom = min(y1, y2), max(y1, y2)
            parts.append(f'<path class="edge" d="M{x1 + 16:.0f} {top + height:.0f} L{x1 + 16:.0f} {bottom:.0f}"/>')
    for name, (x, y) in places.items():
        count = f"{len(members[name])} {'models' if name == 'models' else 'tables'}: " if name in members else ""
        parts.append(
            f'<g class="{_css(name)}"><rect class="box" x="{x:.0f}" y="{y:.0f}" width="{width}" height="{height}" rx="5"/>'
            f'<text x="{x + 10:.0f}" y="{y + 18:.0f}" class="strong">{escape(name)}</text>'
            f'<text x="{x + 10:.0f}" y="{y + 34:.0f}" class="note">{escape(count + notes[name])}</text></g>'
        )
    size = (len(columns) * (width + gap) - gap + 16, tallest * (height + 26) - 26 + 16)
    return _svg(size, parts, "Layers and categories of the lakehouse, with the flow of data between them", [])


def foundation_svg(tables: Mapping[str, DocumentedTable], folder: str) -> str:
    """From the landing files to silver: how a play becomes a row with features."""
    chosen = [t.name for t in tables.values() if t.category in ("bronze", "silver")]
    return _drawing(tables, chosen, ("bronze", "silver"), folder, "Lineage of bronze and silver")


def analysis_svg(tables: Mapping[str, DocumentedTable], folder: str) -> str:
    """From silver over models to gold; of bronze and silver only what is read."""
    tail = [t.name for t in tables.values() if t.is_model or t.category in GOLD]
    read = {u for name in tail for u in tables[name].upstreams} - set(tail)
    hub = {u for u in read if tables[u].category != "ops"}
    names = [name for name in tables if name in hub or name in tail]
    inputs: Column = [Group("read from bronze and silver", tuple(n for n in names if n in hub))]
    models = [[Group("models", tuple(sorted(rank)))] for rank in _ranked(tables, [n for n in tail if tables[n].is_model])]
    golds: Column = [Group(c, tuple(sorted(n for n in tail if tables[n].category == c))) for c in GOLD]
    direct = [u for u in read if tables[u].category == "ops"]
    if direct:
        inputs.append(Group("ops", tuple(sorted(direct))))
    edges = [(u, n) for n in names if n in tail for u in tables[n].upstreams]
    return _layout(
        tables, [inputs, *models, golds], folder, "Lineage of models and gold", 1 + len(models), edges, are_reduced=True
    )


def neighbours_svg(name: str, tables: Mapping[str, DocumentedTable], downstreams: Sequence[str], folder: str) -> str:
    """One table with what it reads and what reads it."""
    columns: list[Column] = [[Group("reads", tables[name].upstreams)], [Group("", (name,))]]
    parts = [sorted(downstreams)[i : i + MOST_ARROWS] for i in range(0, len(downstreams), MOST_ARROWS)]
    columns += [[Group("read by", tuple(part))] for part in parts]
    filled = [column for column in columns if any(group.names for group in column)]
    # One arrow to the frame where arrows to each table would hide those of the first column.
    edges = [(u, name) for u in tables[name].upstreams] + [(name, d) for d in downstreams if len(parts) == 1]
    anchor = max(range(len(filled)), key=lambda i: sum(len(group.names) for group in filled[i]))
    title = f"Tables that {name} reads, and tables that read it"
    return _layout(tables, filled, folder, title, anchor, edges, to_frame=name if len(parts) > 1 else None)


def _drawing(tables: Mapping[str, DocumentedTable], chosen: Sequence[str], order: Sequence[str], folder: str, title: str) -> str:
    """Each category in as many columns as it has steps from upstream to downstream."""
    columns: list[Column] = []
    for category in order:
        ranks = _ranked(tables, [n for n in chosen if tables[n].category == category])
        columns += [[Group(category, tuple(sorted(rank)))] for rank in ranks]
    anchor = max(range(len(columns)), key=lambda i: len(columns[i][0].names))
    return _layout(tables, columns, folder, title, anchor)


def _ranked(tables: Mapping[str, DocumentedTable], names: Sequence[str]) -> list[list[str]]:
    """Tables by their longest path within these tables; `names` has upstreams first."""
    ranks: dict[str, int] = {}
    for name in names:
        ranks[name] = 1 + max((ranks[u] for u in tables[name].upstreams if u in ranks), default=-1)
    return [[n for n in names if ranks[n] == rank] for rank in range(max(ranks.values(), default=-1) + 1)]


def needed_edges(tables: Mapping[str, DocumentedTable]) -> set[Edge]:
    """Edges that no other path implies; `tables` has upstreams first."""
    before: dict[str, set[str]] = {}
    needed: set[Edge] = set()
    for name, table in tables.items():
        before[name] = set(table.upstreams).union(*(before[u] for u in table.upstreams))
        needed |= {(u, name) for u in table.upstreams if not any(u in before[v] for v in table.upstreams if v != u)}
    return needed


def _layout(
    tables: Mapping[str, DocumentedTable],
    columns: Sequence[Column],
    folder: str,
    title: str,
    anchor: int,
    edges: Sequence[Edge] | None = None,
    *,
    are_reduced: bool = False,
    to_frame: str | None = None,
) -> str:
    """Draw columns of tables and the edges between them, all there are if none are given.

    With `are_reduced`, as where no edges are given, edges that others imply show only when one points at their table. `to_frame`
    is a table with one arrow to the frame on its right.
    """
    drawn = {name for column in columns for group in column for name in group.names}
    every = (
        list(edges) if edges is not None else [(u, n) for n in tables if n in drawn for u in tables[n].upstreams if u in drawn]
    )
    needed = set(every) if edges is not None and not are_reduced else needed_edges(tables) & set(every)
    frames = {group.title for column in columns for group in column}
    rows = _rows(columns, anchor, every)
    xs, x = [], PAD
    for column in columns:
        xs.append(x)
        x += round(max(_width(name, tables, frames) for group in column for name in group.names)) + GAP
    boxes = {
        name: Box(xs[i], rows[name], max(_width(other, tables, frames) for group in column for other in group.names))
        for i, column in enumerate(columns)
        for group in column
        for name in group.names
    }
    place = {name: i for i, column in enumerate(columns) for group in column for name in group.names}
    parts = list(_frames(columns, boxes))
    for source, target in sorted(every, key=lambda e: (e in needed, e)):
        a, b = boxes[source], boxes[target]
        kind = "edge" if (source, target) in needed else "edge implied"
        classes = f"{kind}{' back' if place[target] <= place[source] else ''} from-{_css(source)} to-{_css(target)}"
        if place[source] == place[target]:
            parts.append(_loop(a.x + a.width, a.middle, b.middle, classes))
        else:
            parts.append(_curve(a.x + a.width, a.middle, b.x, b.middle, classes))
    if to_frame is not None:
        a = boxes[to_frame]
        parts.append(_curve(a.x + a.width, a.middle, xs[place[to_frame] + 1] - 8, a.middle, "edge"))
    parts += [_box(name, box, tables[name], folder, _label(name, tables[name], frames)) for name, box in boxes.items()]
    lowest = max(box.y for box in boxes.values()) + HEIGHT + PAD * 2
    return _svg((x - GAP + 30, lowest), parts, title, list(boxes))


def _rows(columns: Sequence[Column], anchor: int, edges: Iterable[Edge]) -> dict[str, float]:
    """The y of every table: the anchor column is stacked, the others follow the tables that they are joined to."""
    near: dict[str, list[str]] = {}
    for source, target in edges:
        near.setdefault(source, []).append(target)
        near.setdefault(target, []).append(source)
    rows: dict[str, float] = {}
    top = float(PAD + TITLE)
    for group in columns[anchor]:
        for name in group.names:
            rows[name] = top
            top += ROW
        top += TITLE + PAD
    middle = (PAD + TITLE + top) / 2
    outwards = sorted((i for i in range(len(columns)) if i != anchor), key=lambda i: abs(i - anchor))
    for _ in range(SWEEPS):
        for index in outwards:
            for group in columns[index]:
                for name in group.names:
                    known = [rows[other] for other in near.get(name, ()) if other in rows]
                    rows[name] = sum(known) / len(known) if known else rows.get(name, middle)
            _spread(columns[index], rows)
    return rows


def _spread(column: Column, rows: dict[str, float]) -> None:
    """Move the tables of a column apart, as little as it takes, each group together."""
    groups = sorted((g for g in column if g.names), key=lambda g: sum(rows[n] for n in g.names) / len(g.names))
    floor = float(PAD + TITLE)
    for group in groups:
        names = sorted(group.names, key=lambda n: (rows[n], n))
        centre = sum(rows[n] for n in names) / len(names)
        wanted = [rows[n] for n in names]
        for i in range(1, len(wanted)):
            wanted[i] = max(wanted[i], wanted[i - 1] + ROW)
        shift = centre - sum(wanted) / len(wanted)
        first = max(floor, wanted[0] + shift)
        shift = first - wanted[0]
        for name, y in zip(names, wanted, strict=True):
            rows[name] = y + shift
        floor = rows[names[-1]] + ROW + TITLE + PAD


def _frames(columns: Sequence[Column], boxes: Mapping[str, Box]) -> Iterable[str]:
    """A frame with a title around the tables of each group; groups of one title share it."""
    members: dict[str, list[str]] = {}
    for column in columns:
        for group in column:
            if group.title and group.names:
                members.setdefault(group.title, []).extend(group.names)
    for title, names in members.items():
        own = [boxes[n] for n in names]
        left, top = min(b.x for b in own) - 8, min(b.y for b in own) - TITLE
        width = max(b.x + b.width for b in own) + 8 - left
        height = max(b.y for b in own) + HEIGHT + 8 - top
        yield (
            f'<rect class="frame" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"/>'
            f'<text class="title" x="{left + 8:.0f}" y="{top + 14:.0f}">{escape(title)}</text>'
        )


def _box(name: str, box: Box, table: DocumentedTable, folder: str, label: str) -> str:
    return (
        f'<a class="table {_css(table.category)}" id="box-{_css(name)}" href="{folder}{name}.html">'
        f"<title>{escape(f'{name}: {table.question or table.grain}')}</title>"
        f'<rect class="box" x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{box.x + 7:.0f}" y="{box.y + 14:.0f}">{escape(label)}</text></a>'
    )


def _label(name: str, table: DocumentedTable, frames: Collection[str]) -> str:
    """The short name where a frame says the category."""
    return table.short_name if table.category in frames else name


def _width(name: str, tables: Mapping[str, DocumentedTable], frames: Collection[str]) -> float:
    return len(_label(name, tables[name], frames)) * LETTER + 14


def _loop(x: float, y1: float, y2: float, classes: str) -> str:
    """From a table to another of its column, around their right."""
    return f'<path class="{classes}" d="M{x:.0f} {y1:.0f} C{x + 34:.0f} {y1:.0f} {x + 34:.0f} {y2:.0f} {x + 1:.0f} {y2:.0f}"/>'


def _curve(x1: float, y1: float, x2: float, y2: float, classes: str) -> str:
    bend = max(24.0, abs(x2 - x1) / 2) if x2 > x1 else 60.0
    points = f"M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2 - 1:.0f} {y2:.0f}"
    return f'<path class="{classes}" d="{points}"/>'


def _css(name: str) -> str:
    return re.sub(r"\W", "-", name)


def _svg(size: tuple[float, float], parts: Iterable[str], title: str, names: Sequence[str]) -> str:
    """The drawing in a box that scrolls; pointing at a table brings out its arrows, those that others imply too."""
    width, height = (round(length) for length in size)
    hover = "".join(
        f".lineage:has(#box-{css}:is(:hover,:focus)) :is(.from-{css},.to-{css}){{stroke:var(--lineage-accent);opacity:1}}"
        for css in map(_css, names)
    )
    frame = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"'
    drawing = f'<svg class="lineage" xmlns="http://www.w3.org/2000/svg" {frame}><style>{hover}</style>{"".join(parts)}</svg>'
    return f'<div class="lineage-frame">{drawing}</div>'
