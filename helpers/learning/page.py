"""A page to keep: what a learner did, as a file of their own that asks no other computer."""

from __future__ import annotations

from datetime import date
from html import escape
from pathlib import Path

from helpers.learning import record
from helpers.learning.progress import Progress

STYLE = """
@page { size: A4; margin: 14mm }
body { font: 15px/1.4 system-ui, sans-serif; color: #222; max-width: 48em; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.5em; margin: 0 0 .2em }
table { border-collapse: collapse; width: 100%; margin: 1em 0 }
th, td { text-align: left; padding: .25em .5em; border-bottom: 1px solid #ccc }
th { font-weight: 600 }
td { white-space: nowrap }
img { width: 100%; height: auto; break-inside: avoid }
footer { color: #555; font-size: .9em }
@media print { body { font-size: 11px; margin: 0; padding: 0; max-width: none }
  img { max-height: 110mm; width: auto; max-width: 100% } }
"""


def page(progress: Progress, name: str = "", day: date | None = None) -> str:
    """The page as HTML, with a name and a day where given."""
    who = f"<p><strong>{escape(name)}</strong></p>\n" if name else ""
    when = f"<p>{day:%d} {day:%B} {day.year}</p>\n" if day else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Amazon SQS → AWS Lambda: what I did</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Amazon SQS → AWS Lambda: a course in notebooks</h1>
{who}{when}<p>{escape(progress.said)}</p>
{progress.as_html()}
<footer><p>Minutes are those in which cells ran, without pauses. From a record on the learner's own
computer; it proves nothing to anybody, and was sent to nobody.</p></footer>
</body>
</html>
"""


def keep(progress: Progress, name: str = "", day: date | None = None) -> Path:
    """Write the page beside the copies; returns its file. Raises OSError when that cannot be."""
    record.MY_COURSE.mkdir(exist_ok=True)
    path = record.MY_COURSE / f"what_I_did{f'_{day.isoformat()}' if day else ''}.html"
    path.write_text(page(progress, name.strip(), day), encoding="utf-8", newline="\n")
    return path
