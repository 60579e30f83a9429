// Package maintenancetest is the stage of tests of kinds that work on living tables
// (package maintenance): a store with a catalog of one table over it, other writers
// who come at the worst moment, and what may go wrong on the way. It is for tests
// only.
//
//   - [Yard]: an S3 server and a [Ledger], a catalog in memory that takes also tables
//     that no library writes, fails where it is told to, and lets others commit first.
//   - [Counter]: the same store under the stand-in for Polaris, asked without HTTP:
//     Polaris' rules for commits.
//   - [Office]: that stand-in over HTTP, by the client that workers use, with vended
//     credentials that the store checks.
//   - [Draft]: tables written by hand, file by file; [Author]: a writer that does
//     whatever iceberg-go can to a table.
//   - [Yard.Reach] and [Yard.Rows]: what the snapshots of a table reach, and the rows
//     that iceberg-go reads in each.
//   - [Cut]: runs that are cut off at any request.
//
// What it does not do: it knows no kind of job. What a job must leave is said by the
// kind's own tests.
package maintenancetest
