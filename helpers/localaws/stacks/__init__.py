"""CloudFormation: stacks, made of the local AWS's own resources by calls of its own APIs."""
