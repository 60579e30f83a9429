// Package pulltest has what tests of pull mode begin with: a catalog "lake" of the
// stand-in for Polaris, tables in it, policies, and a configuration file. It is for
// tests only.
//
// What it guarantees: everything ends with its test, and the principal of the
// configuration may do what maintenance needs and nothing else.
//
// What it does not do: it starts no queue.
package pulltest
