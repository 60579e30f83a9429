// Package storetest holds what every store of package storage must do, whatever
// it is: one suite ([Run]) for local files, S3 and the stores that speak like it,
// Google Cloud Storage and Azure.
//
// It starts the servers that are no Go libraries as processes of their own
// ([Start]), from the binaries that "make test-stores" installs into build/bin.
// A server that is not installed makes its tests skipped with a sentence, unless
// REQUIRE_STORES=1 asks for all of them; and without TEST_STORES=1, which
// "make test-stores" sets, no process is started.
//
// In front of a server stands a [Proxy] that can answer in its place, which shows
// what becomes of a store that asks to slow down.
//
// It is for tests only. Objects are made through package storage itself, so that
// the suite tells nothing about what another program would call the same object,
// apart from the stores that are given a Put.
package storetest
