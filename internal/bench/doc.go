// Command bench runs the module's benchmarks and sets each of ours beside its
// rival of the same run, for `make bench`.
//
// A pair is two sub-benchmarks of one benchmark: …/deckhand, and …/iceberg-go,
// …/iceberg-java, …/pyiceberg, or …/rival for anything else. Figures of different
// runs are never compared: the machine may differ, the ratio hardly does. A
// benchmark without a rival is shown when a goal sets a limit to it.
//
// The table goes to standard output, everything that was measured to a JSON file,
// and the table with the names of machine and versions to a page of Markdown
// beside it.
// A missed goal is shown; only with -strict does it end the run with exit code 1,
// because a busy machine can miss one.
package main
