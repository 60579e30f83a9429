// Package partition knows what the partition values in a manifest are: the
// types that a partition spec gives them, their order and their bounds.
//
// What it guarantees: values that are not of the spec are an error and never
// a panic; bounds hold for every reader, whichever way it orders UUIDs, or
// there are none.
//
// What it does not do: it does not apply transforms, and knows none of more
// than one column.
//
// Sources: the Iceberg table specification (partitioning, manifest lists,
// appendix D: single-value serialisation) and Iceberg's Java library
// (PartitionSpec, PartitionSummary, Comparators).
package partition
