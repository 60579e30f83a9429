// Package metastore reads the tasks that a stock Polaris left behind in its JDBC
// metastore on PostgreSQL, and makes jobs of them.
//
// A purge is a row of the table polaris_schema.entities with type code 8 (TASK).
// Its task type is 1 for the clean-up of a dropped table or view, and 2 or 3 for
// what Polaris' own executor splits that into: one manifest, or a list of
// files. That executor deletes the table's metadata file as soon as the
// sub-tasks are written, so that after a failure only they know which files are
// left.
//
// What it guarantees: the schema's version is checked before anything is read,
// and an unknown one refused; a row is deleted only at the very version that was
// read; a job holds fields of an allow-list and never a secret, byte for byte
// those that the Polaris extension makes of the same row.
//
// What it does not do: it neither leases rows nor changes any, does not look
// into object storage, and publishes nothing.
//
// Sources: Apache Polaris 1.0.0 to 1.7.0, persistence/relational-jdbc (schema)
// and runtime/service, org.apache.polaris.service.task (rows).
package metastore
