package dev.deckhand.polaris.outbox;

/**
 * The answer to one publish.
 *
 * @param detail the server's words and what to do; empty when the job is stored
 */
public record Published(PublishAnswer answer, String detail) {
  /** The stream answered, but has not yet decided on an earlier publish on the same subject. */
  static final Published UNDECIDED =
      new Published(
          PublishAnswer.UNKNOWN,
          "wrong last sequence (10164): another publish of the job is under way and may still be lost; tried again");

  static Published of(PublishAnswer answer) {
    return new Published(answer, "");
  }
}
