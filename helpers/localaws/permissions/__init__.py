"""IAM: roles and what they allow, and the credentials that STS gives for them."""
