/**
 * The beans that put the outbox into a Polaris server: the task executor that replaces the built-in one, the connection
 * to NATS, the timer of the sweeps, health and metrics. They decide nothing about rows and jobs; the outbox does.
 */
package dev.deckhand.polaris.wiring;
