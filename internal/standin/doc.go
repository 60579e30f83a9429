// Package standin is an in-process server that answers a maintenance client the
// way Apache Polaris 1.7.0 does: tokens, configuration, namespaces, tables, views
// and generic tables, commits, vended credentials, policies, and the management
// calls that make a principal with few privileges. Tests and the demo use it.
//
// Tables live in a SQL catalog (iceberg-go's, SQLite), their metadata files in a
// local folder or on an S3 server. Principals, roles, grants, policies, views and
// generic tables are kept in memory.
//
// It is held to the truth by requests and answers that were recorded from a real
// server (testdata/exchanges) and by the suite of package conformance, which runs
// unchanged against a real Polaris and against Iceberg's own REST fixture.
//
// What it does not do: purge, scan planning, events, notifications, federated
// catalogs, multi-table transactions, and most of the management interface.
package standin
