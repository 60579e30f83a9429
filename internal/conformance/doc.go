// Package conformance holds what this project takes for granted of an Iceberg REST
// catalog and of Apache Polaris, as one suite of tests. [Run] goes through it
// against any server: the stand-in (package standin) in `make test`, a real Polaris
// in `make test-polaris`, and Iceberg's own Java server in `make test-rest`. What
// differs between them is a bug in the stand-in.
//
// A [Target] says what a server can do; what it cannot is left out. Where a server
// knows principals, the suite makes one with the fewest privileges, by the
// management calls that the README prints, and does everything as it: root only
// makes the catalog, tables, views and policies.
//
// On local files every kind of job on living tables is run on tables that an engine
// writes and reads. Everywhere else no data files are written: snapshots name
// manifest lists that do not exist, which no server looks at.
//
// What it does not do: it does not judge speed.
package conformance
