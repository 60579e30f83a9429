package dev.deckhand.polaris.outbox;

/**
 * The answer to one publish.
 *
 * @param detail the server's words and what to do; empty when the job is stored
 */
public record Published(PublishAnswer answer, String detail) {
  static Published of(PublishAnswer answer) {
    return new Published(answer, "");
  }
}
