// Package command is what the binaries' commands have in common: exit codes,
// flags from the environment, loading and printing the configuration, one-line
// errors, and stopping on signals.
//
// The commands themselves are in deckhand/worker and deckhand/producer.
package command
