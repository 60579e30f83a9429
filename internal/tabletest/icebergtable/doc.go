// Package icebergtable writes small real tables with iceberg-go: Parquet data,
// several snapshots, branches, position deletes, deletion vectors, equality
// deletes, statistics.
//
// [Write] builds a table in memory under the locations it is to have, so the
// same call serves a local folder (Objects.WriteFolder) and an S3 server
// (Objects.Load). What the table consists of is found afterwards by walking its
// metadata with iceberg-go's own readers, so a test that compares with it judges
// this project's reader by another one.
//
// It is a package of its own because iceberg-go compiles slowly; tests that need
// the zoo or synthetic tables only import tabletest.
//
// It does not write to a catalog: a table that is to be purged was dropped from
// its catalog anyway.
package icebergtable
