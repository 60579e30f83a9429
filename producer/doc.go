// Command producer puts jobs into Deckhand's queue.
//
// What it guarantees: submitting a job twice is harmless; a job that is said to
// be queued is stored; the exit code tells bad input, a dead job and a queue to
// try again apart; with --json standard output can be parsed, also after a
// failure.
//
// What it does not do: it runs no job and changes no file. Submitting needs no
// access to storage or catalogs; scans read catalogs, and a rescue reads Polaris'
// metastore, looks for metadata files, and deletes the task rows that it adopted.
package main
