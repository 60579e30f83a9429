"""Purges the table of each metadata location that it reads, a line each, with
PyIceberg's purge_table, and answers how many nanoseconds that took. Its first
line names the versions. Arguments: endpoint, key, secret."""

import sys
import time
import uuid

import pyiceberg
from pyiceberg.catalog import load_catalog

endpoint, key, secret = sys.argv[1:]
catalog = load_catalog(
    "rival",
    type="sql",
    uri="sqlite:///:memory:",
    **{
        "s3.endpoint": endpoint,
        "s3.access-key-id": key,
        "s3.secret-access-key": secret,
        "s3.region": "us-east-1",
    },
)
catalog.create_namespace("db")
print(pyiceberg.__version__, "on Python", sys.version.split()[0], flush=True)
for line in sys.stdin:
    name = ("db", uuid.uuid4().hex)
    catalog.register_table(name, line.strip())
    start = time.perf_counter_ns()
    catalog.purge_table(name)
    print(time.perf_counter_ns() - start, flush=True)
