// Package clitest runs a command as a process of its own in its tests, without
// building it first: the test binary itself is started again and becomes the
// command. It is for tests only.
//
// What it guarantees: a command sees a clean environment and an empty folder, and
// none outlives its test.
//
// What it does not do: it knows no command, and starts no server.
package clitest
