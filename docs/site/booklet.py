"""The whole course as one PDF: pages as Typst's markup, by pandoc, set by Typst."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pypandoc
import typst

from docs.site.paper import chapters, with_alts

COVER = Path(__file__).with_name("booklet.typ")


def write_booklet(site: Path) -> None:
    """Write course.pdf into the folder of a site that has its pictures."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "booklet.typ").write_bytes(COVER.read_bytes())
        (work / "pipeline.svg").write_bytes((site / "img" / "pipeline.svg").read_bytes())
        (work / "course.typ").write_text(markup(site, work), encoding="utf-8")
        typst.compile(
            work / "course.typ", output=site / "course.pdf", root=work, ignore_system_fonts=True
        )


def markup(site: Path, work: Path) -> str:
    trees = list(chapters(site))
    html = "\n".join(map(str, trees))
    options = ["--wrap=none", "--extract-media=media", "--syntax-highlighting=idiomatic"]
    body = pypandoc.convert_text(html, "typst", "html", extra_args=options, cworkdir=str(work))
    alts = [str(picture["alt"]) for tree in trees for picture in tree.find_all("img")]
    return f'#import "booklet.typ": booklet\n#show: booklet\n{with_alts(body, alts)}'
