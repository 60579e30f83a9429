// Package broker connects to NATS by the rules of the nats command line tool,
// and runs a NATS server inside this process where asked to.
//
// What it guarantees: the address and the credentials come from where [Config]
// says, in that order; a mistake in them is one sentence that says what to
// change; no password, token or seed is in an error or a log; a connection that
// is lost is tried again for ever, and a denied publish or subscription is
// logged, since it would otherwise look like a time-out.
//
// What it does not do: it knows nothing about streams (internal/queue does), and
// it wraps neither [nats.Conn] nor the server.
package broker
