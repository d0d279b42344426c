"""An S3-compatible server for tests."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(bucket: str) -> Iterator[str]:
    """Yield the address of a server with an empty bucket; AWS_* of the environment must name an account."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=address).create_bucket(Bucket=bucket)
        yield address
    finally:
        server.stop()
