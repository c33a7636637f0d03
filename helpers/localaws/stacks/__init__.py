"""CloudFormation: stacks, made of the local AWS's own resources by calls of its own APIs."""

import sys

# With this package jsonschema, which the transform of AWS SAM and the schemas of resources use,
# judges IRIs, for which nobody asks; its grammar takes longer to build than all else here to load.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
