"""Pictures of the page, as SVG without a library: bars by day, bars by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 8, 24
BAR_HEIGHT = 26
NAMES_SHOWN = 15


def by_day(title: str, days: Mapping[str, Mapping[str, int]], kinds: Sequence[str]) -> str:
    """Stacked bars, one a day; `kinds` are the classes `k0`, `k1`, … of the style sheet."""
    if not days:
        return ""
    most = max(sum(of_day.values()) for of_day in days.values()) or 1
    step = (WIDTH - LEFT) / len(days)
    parts = []
    for number, (day, of_day) in enumerate(sorted(days.items())):
        top = float(HEIGHT - BOTTOM)
        for place, kind in enumerate(kinds):
            height = of_day.get(kind, 0) / most * (HEIGHT - BOTTOM - 10)
            top -= height
            if height:
                parts.append(
                    f'<rect class="k{place}" x="{LEFT + number * step:.1f}" y="{top:.1f}"'
                    f' width="{max(step - 2, 1):.1f}" height="{height:.1f}">'
                    f"<title>{escape(day)}: {of_day[kind]} {escape(kind)}</title></rect>"
                )
    first, last = min(days), max(days)
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 6}">{escape(first)}</text>')
    if last != first:
        parts.append(f'<text x="{WIDTH}" y="{HEIGHT - 6}" text-anchor="end">{escape(last)}</text>')
    legend = "".join(
        f'<li><span class="k{place}"></span>{escape(kind)}</li>' for place, kind in enumerate(kinds)
    )
    words = f"{title}: {first} to {last}, at most {most} a day"
    return _figure(title, words, HEIGHT, parts, f'<ul class="legend">{legend}</ul>')


def by_name(title: str, counts: Mapping[str, int], unit: str) -> str:
    """Bars, one a name, the longest first."""
    shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:NAMES_SHOWN]
    if not shown:
        return ""
    most = max(count for _, count in shown) or 1
    parts = []
    for number, (name, count) in enumerate(shown):
        top = number * BAR_HEIGHT * 2
        width = max(count / most * (WIDTH - LEFT), 2)
        parts.append(f'<text x="{LEFT}" y="{top + 16}">{escape(name[:70])}: {count} {unit}</text>')
        parts.append(
            f'<rect class="k0" x="{LEFT}" y="{top + 22}" width="{width:.1f}"'
            f' height="{BAR_HEIGHT}"/>'
        )
    words = f"{title}: " + ", ".join(f"{name} {count} {unit}" for name, count in shown[:5])
    return _figure(title, words, len(shown) * BAR_HEIGHT * 2 + 4, parts)


def _figure(title: str, words: str, height: float, parts: Sequence[str], below: str = "") -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>{below}</figure>"
    )
