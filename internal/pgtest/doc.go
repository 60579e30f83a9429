// Package pgtest runs a real PostgreSQL for tests and lays Polaris' metastore
// out in it. It is for tests only.
//
// It takes the binaries that are installed (Debian: apt-get install postgresql),
// listens on a free port of the loopback, lets anyone in, and runs as the user
// postgres where the tests run as root, since PostgreSQL refuses root. Without
// binaries tests are skipped, unless REQUIRE_POSTGRES=1 asks for them.
package pgtest
