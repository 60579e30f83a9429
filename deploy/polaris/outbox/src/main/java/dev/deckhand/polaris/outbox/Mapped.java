package dev.deckhand.polaris.outbox;

/** What a TASK row is to us. */
public sealed interface Mapped {
  /** A clean-up of a dropped table or view: it becomes a job. */
  record Ours(PurgeJob job) implements Mapped {}

  /** Somebody else's row: a sub-task of the built-in executor, the clean-up of a namespace. It is left alone. */
  record Foreign(String what) implements Mapped {}

  /** A clean-up of a table that cannot become a job. The row stays until a person has done what fix says. */
  record Unusable(String problem, String fix) implements Mapped {}
}
