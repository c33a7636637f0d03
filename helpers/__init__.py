"""The course kit: what keeps scaffolding out of the learner's way.

It reaches AWS through boto3 only, so everything here works on each target: the local AWS,
another AWS-compatible server, or a real account.
"""
