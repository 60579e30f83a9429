// Package rivaltest runs, for benchmarks, what operators would purge a table with if
// they had no Deckhand: Iceberg's Java library and PyIceberg, as processes of
// their own on the S3 server of the benchmark.
//
// A process is started once and stays warm: what it is timed for is the purge of
// one table, and neither its own start nor its way to the benchmark. A rival that cannot be had (no
// Maven, no JDK 17, no Python with pip) skips its benchmark and says why.
package rivaltest
