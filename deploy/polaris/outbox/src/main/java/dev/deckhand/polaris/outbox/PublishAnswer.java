package dev.deckhand.polaris.outbox;

/** What the stream said to a publish: the table of jobs/CONTRACT.md. */
public enum PublishAnswer {
  /** The job is stored. */
  QUEUED(true, false),
  /** A job on the same subject waits or runs. */
  ALREADY_QUEUED(true, false),
  /** The stream or the account has no room; the job is not stored. */
  FULL(false, true),
  /** No stream JOBS takes the subject, or JetStream is off. */
  NO_STREAM(false, true),
  /** The account may not publish on the subject, or not subscribe to where the answer comes. */
  DENIED(false, false),
  /** No answer came, or none that settles it; the job may or may not be stored, and publishing it again is safe. */
  UNKNOWN(false, false),
  /** There is no connection; nothing was sent. */
  AWAY(false, true),
  /** The stream refused this very job, for being too large for instance. */
  REFUSED(false, false);

  private final boolean stored;
  private final boolean forAll;

  PublishAnswer(boolean stored, boolean forAll) {
    this.stored = stored;
    this.forAll = forAll;
  }

  /** Whether the queue has the job, so that the row may go. */
  public boolean stored() {
    return stored;
  }

  /** Whether every other job would get the same answer now. */
  boolean forAll() {
    return forAll;
  }
}
