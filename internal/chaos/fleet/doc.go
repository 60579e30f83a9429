// Package fleet runs what a chaos run breaks: worker processes, each with a store
// front, a catalog front and TCP proxies of its own, and the NATS servers behind
// them. All are real processes of the built binaries; they are killed, stopped,
// stalled and started again.
//
// The fronts tell who asks: each process gets ports that no other has, so that the
// store knows the process behind a request whatever that process believes of itself.
package fleet
