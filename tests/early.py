"""What makes the start of each test process shorter. `-p tests.early` loads it before nbval."""

import sys

# jsonschema, by which nbformat judges notebooks, takes this package when it is there, to judge
# IRIs, of which a notebook has none. To build its grammar takes a second, in each process.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
