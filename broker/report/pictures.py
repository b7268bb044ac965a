"""Pictures of the page, as SVG without a library: bars by day, bars by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from html import escape

from broker.terminal_text import escape_controls

WIDTH, HEIGHT, WIDEST = 640, 180, 40
BAR_HEIGHT = 14
NAMES_SHOWN = 15
LABEL_LETTERS = 100
MOST_DAYS = 400
MOST_LETTERS = 300


def plain(text: str, most: int = MOST_LETTERS) -> str:
    """Foreign text as HTML, also for attributes: cut, and what fools a reader written out."""
    shown = escape_controls(" ".join(text.split()))
    return escape(shown if len(shown) <= most else f"{shown[:most]}…")


def isolated(text: str, most: int = MOST_LETTERS) -> str:
    """The same beside words of ours, whose direction it cannot turn."""
    return f"<bdi>{plain(text, most)}</bdi>"


def by_day(title: str, days: Mapping[str, Mapping[str, int]], kinds: Sequence[str]) -> str:
    """Stacked bars, one a day; `kinds` are the classes `k0`, `k1`, … of the style sheet."""
    if not days:
        return ""
    shown = _without_gaps(days)
    most = max(sum(of_day.values()) for of_day in days.values()) or 1
    step = min(WIDTH / len(shown), WIDEST)
    parts = []
    for number, day in enumerate(shown):
        of_day = days.get(day, {})
        top = float(HEIGHT)
        for place, kind in enumerate(kinds):
            height = of_day.get(kind, 0) / most * HEIGHT
            top -= height
            if height:
                parts.append(
                    f'<rect class="k{place}" x="{number * step:.1f}" y="{top:.1f}"'
                    f' width="{max(step - 1.5, 1):.1f}" height="{height:.1f}">'
                    f"<title>{plain(day)}: {of_day[kind]} {plain(kind)}</title></rect>"
                )
    first, last = shown[0], shown[-1]
    description = f"{title}: {first} to {last}, at most {most} a day"
    edges = plain(first) if first == last else f"{plain(first)}</span><span>{plain(last)}"
    legend = "".join(
        f'<li><span class="k{place}"></span>{plain(kind)}</li>' for place, kind in enumerate(kinds)
    )
    return _figure(
        title,
        f'<p class="soft">At most {most} a day</p>{_svg(description, HEIGHT, parts)}'
        f'<p class="soft edges"><span>{edges}</span></p><ul class="legend">{legend}</ul>',
    )


def by_name(
    title: str, counts: Mapping[str, int], unit: str, kinds: Mapping[str, str] | None = None
) -> str:
    """Bars, one a name, the longest first; `kinds` are their classes, `k0` without."""
    shown = sorted(counts.items(), key=lambda item: -item[1])[:NAMES_SHOWN]
    if not shown:
        return ""
    most = max(count for _, count in shown) or 1
    rows = []
    for name, count in shown:
        kind = (kinds or {}).get(name, "k0")
        width = max(count / most * WIDTH, 2)
        bar = f'<rect class="{kind}" width="{width:.1f}" height="{BAR_HEIGHT}"/>'
        number = f": {count} {unit}".rstrip()
        picture = _svg(f"{name[:LABEL_LETTERS]}{number}", BAR_HEIGHT, [bar])
        rows.append(f"<li>{isolated(name, LABEL_LETTERS)}{number}{picture}</li>")
    return _figure(title, f'<ul class="bars">{"".join(rows)}</ul>')


def _without_gaps(days: Iterable[str]) -> list[str]:
    """Every day from the first to the last, so that the axis is time."""
    known = sorted(days)
    try:
        first, last = date.fromisoformat(known[0]), date.fromisoformat(known[-1])
    except ValueError:
        return known
    length = (last - first).days + 1
    if length > MOST_DAYS:
        return known
    return [(first + timedelta(days=number)).isoformat() for number in range(length)]


def _svg(description: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" role="img"'
        f' aria-label="{plain(description)}" style="height:{height}px">{"".join(parts)}</svg>'
    )


def _figure(title: str, inner: str) -> str:
    return f"<figure><figcaption>{plain(title)}</figcaption>{inner}</figure>"
