/**
 * The hand-over of purges from Polaris' metastore to the queue: a TASK row is the outbox, the stream's acknowledgement is
 * the hand-over, and only then the row goes. Plain Java on polaris-core and jnats; no container, no HTTP.
 *
 * <p>It never deletes files, never leases a row that it cannot publish, and never touches rows that are not clean-ups of
 * Iceberg tables and views. What is published is described in jobs/CONTRACT.md; the golden files beside it hold.
 */
package dev.deckhand.polaris.outbox;
