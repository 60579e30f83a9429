// Package natstest gives each test a NATS server of its own: the real one, with
// JetStream in the test's temporary folder. It can be stopped and started again
// on the same port and store, run as a process and killed, and put behind a TCP
// proxy that stalls like a broken network.
//
// It is for tests only. Servers and connections end with their test.
package natstest
