// Package tabletest provides Iceberg tables for tests, benchmarks and the demo.
//
//   - [LoadZoo]: 49 tables that Spark, the Iceberg Java library and PyIceberg
//     wrote, with what each of them consists of.
//   - [Synthetic]: tables of any size whose metadata is real Avro and JSON and
//     whose data files exist only as names. A million entries are generated in
//     seconds and streamed.
//   - [NewView]: views, of which there is no writer in Go that is light enough.
//   - [Damage]: ways to corrupt a file.
//
// Tables with real Parquet data, written by iceberg-go, are in the sub-package
// icebergtable, so that tests that do without them compile quickly.
//
// Nothing here opens a network connection. Objects are handed to the server or
// folder of the caller's choice, through [Bucket] or [WriteFolder].
//
// The package is for tests: it favours plainness over speed (but for Synthetic)
// and keeps whole files in memory.
package tabletest
