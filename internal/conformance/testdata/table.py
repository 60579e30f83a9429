"""Writes or reads a table with PyIceberg: table.py write|read URI WAREHOUSE [CREDENTIAL]

write: three appends of ten rows, a delete of five rows, a tag "first" on the first snapshot. read: prints the number of
rows and of snapshots.
"""

import sys

import pyarrow
from pyiceberg.catalog import load_catalog

what, uri, warehouse = sys.argv[1:4]
options = {"type": "rest", "uri": uri, "warehouse": warehouse}
if len(sys.argv) > 4:
    options |= {"credential": sys.argv[4], "scope": "PRINCIPAL_ROLE:ALL"}
catalog = load_catalog("lake", **options)

if what == "write":
    catalog.create_namespace_if_not_exists("python")
    rows = pyarrow.table({"id": pyarrow.array(range(10), pyarrow.int64())})
    table = catalog.create_table("python.orders", rows.schema)
    for _ in range(3):
        table.append(rows)
    table.manage_snapshots().create_tag(table.history()[0].snapshot_id, "first").commit()
    table.delete("id < 1 or id > 7")

table = catalog.load_table("python.orders")
print(table.scan().to_arrow().num_rows, len(table.snapshots()))
