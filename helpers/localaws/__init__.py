"""A local AWS for SQS and Lambda: moto, with an executor and a poller.

It runs real handler code, in worker processes, without Docker and without an account, and
answers on the loopback interface as AWS was recorded to answer:

    python -m helpers.localaws start     # in the background; prints the endpoint URL
    python -m helpers.localaws status
    python -m helpers.localaws stop
    python -m helpers.localaws run --port 5000    # in the foreground

Any AWS SDK can use the endpoint URL, with any credentials. Nothing here knows the course.
"""
