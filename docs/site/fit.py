"""How much fits on a slide of 1920 by 1080 pixels, reckoned without a browser.

The sizes are those of static/slides.css, with letters as wide as those of the widest usual font
(DejaVu). `make look` measures every slide in a browser.
"""

from __future__ import annotations

import base64
import copy
import math
import struct

from bs4 import BeautifulSoup, Tag

FULL = 815  # px below the heading
FULL_WIDE = 1760
PICTURE = 800  # px at most
GAP = 24
LINE, TEXT_WIDE = 55, 76  # px of a line of text, and its letters
CODE_LINE, CODE_WIDE = 42, 94
BIG_LINE, BIG_WIDE = 50, 77  # of code whose lines are short
TABLE_LINE, TABLE_WIDE, ROW_GAP = 48, 84, 22
BOX = 46  # above and below code


def height(part: Tag) -> int:
    """About how many pixels a part takes, with the gap below it."""
    if image := part.find("img"):
        return height_of_picture(str(image["src"])) + GAP
    if table := part.find("table"):
        return height_of_rows(table) + GAP
    if pre := pre_of(part):
        return height_of_code(pre) + GAP
    items = part.find_all("li") or [part]
    return sum(LINE * lines(item.get_text(), TEXT_WIDE) for item in items) + GAP * len(items)


def height_of_picture(source: str) -> int:
    """Of a stored chart, by the head of its PNG, as wide as the slide; any other takes all."""
    kind, _, data = source.partition(",")
    if kind != "data:image/png;base64":
        return PICTURE
    width, high = struct.unpack(">II", base64.b64decode(data[:32])[16:24])
    return min(PICTURE, int(FULL_WIDE * high / width))


def fits(parts: list[Tag]) -> bool:
    """Whether all of them have room on a slide."""
    return sum(map(height, parts)) - GAP <= FULL


def has_short_lines(part: Tag) -> bool:
    """Whether the lines of code are so short that larger letters fit."""
    pre = pre_of(part)
    return pre is not None and all(len(line) <= BIG_WIDE for line in pre.get_text().splitlines())


def pre_of(part: Tag) -> Tag | None:
    return part if part.name == "pre" else part.find("pre")


def height_of_code(pre: Tag) -> int:
    each, wide = (BIG_LINE, BIG_WIDE) if has_short_lines(pre) else (CODE_LINE, CODE_WIDE)
    return BOX + each * sum(lines(line, wide) for line in pre.get_text().rstrip("\n").split("\n"))


def height_of_rows(table: Tag) -> int:
    """Of a table whose columns share its width by what stands in them."""
    rows = [
        [cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=False)]
    squeeze = max(1, sum(widths) / TABLE_WIDE)
    return sum(
        ROW_GAP
        + TABLE_LINE
        * max(
            math.ceil(len(text) / max(width, 1) * squeeze)
            for text, width in zip(row, widths, strict=False)
        )
        for row in rows
    )


def lines(text: str, wide: int) -> int:
    return max(1, math.ceil(len(text.strip("\n")) / wide))


def cut(part: Tag) -> list[Tag]:
    """A part in as many pieces as slides are needed for it: rows, items or lines of code."""
    many = len(items(part))
    if height(part) <= FULL or many < 2:
        return [part]
    return [*cut(kept(part, 0, many // 2)), *cut(kept(part, many // 2, many))]


def items(part: Tag) -> list[Tag] | list[str]:
    if part.name in ("ul", "ol"):
        return part.find_all("li", recursive=False)
    if part.tbody:
        return part.tbody.find_all("tr")
    pre = pre_of(part)
    return pre.decode_contents().rstrip("\n").split("\n") if pre else []


def kept(part: Tag, first: int, end: int) -> Tag:
    """A copy that has only some of the items."""
    made = copy.copy(part)
    found = items(made)
    if made.name == "ol":
        made["start"] = str(int(str(made.get("start", "1"))) + first)
    if pre := pre_of(made):
        html = "\n".join(map(str, found[first:end]))
        pre.clear()
        # Parsed inside of a <pre>, for blanks are kept only there.
        pre.extend(BeautifulSoup(f"<pre>{html}</pre>", "html.parser").select("pre")[0].contents[:])
    else:
        for item in [*found[:first], *found[end:]]:
            item.decompose()
    return made
