// Package clitest runs a command in its tests: inside of the test process, or as a
// process of its own without building it first: the test binary itself is started
// again and becomes the command. It is for tests only.
//
// What it guarantees: a process sees a clean environment and an empty folder, and
// none outlives its test.
//
// What it does not do: it knows no command of ours, and starts no server.
package clitest
