// Command bench runs the module's benchmarks and sets each of ours beside its
// rival of the same run, for `make bench`.
//
// A pair is two sub-benchmarks of one benchmark: …/deckhand and …/iceberg-go, or
// …/rival for anything else. Figures of different runs are never compared: the
// machine may differ, the ratio hardly does. A benchmark without a rival is
// shown when a goal sets a limit to it.
//
// The table goes to standard output, everything that was measured to a JSON file.
// A missed goal is shown; only with -strict does it end the run with exit code 1,
// because a busy machine can miss one.
package main
