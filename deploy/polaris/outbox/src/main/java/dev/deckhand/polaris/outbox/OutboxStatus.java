package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;

/** What happened since the server started, for health and metrics. All realms together; safe for any thread. */
public final class OutboxStatus {
  /**
   * The last thing that went wrong.
   *
   * @param text without secrets, but with names and places: for operators, not for clients
   */
  public record LastError(Instant at, String text) {}

  private final Clock clock;
  private final Map<PublishAnswer, LongAdder> answers = new EnumMap<>(PublishAnswer.class);
  private final LongAdder failures = new LongAdder();
  private final LongAdder sweeps = new LongAdder();
  private volatile LastError lastError;

  public OutboxStatus(Clock clock) {
    this.clock = clock;
    for (PublishAnswer answer : PublishAnswer.values()) {
      answers.put(answer, new LongAdder());
    }
  }

  /** How many publishes were answered so. */
  public long count(PublishAnswer answer) {
    return answers.get(answer).sum();
  }

  /** How many times the metastore failed us. */
  public long failures() {
    return failures.sum();
  }

  /** How many sweeps looked at all rows of a realm. */
  public long sweeps() {
    return sweeps.sum();
  }

  /** The last error, until the server ends. */
  public Optional<LastError> lastError() {
    return Optional.ofNullable(lastError);
  }

  void answered(Published published) {
    answers.get(published.answer()).increment();
    if (!published.answer().stored()) {
      error(published.answer() + ": " + published.detail());
    }
  }

  void swept() {
    sweeps.increment();
  }

  /** Counts a failure of the metastore. */
  public void failed(String text) {
    failures.increment();
    error(text);
  }

  void error(String text) {
    lastError = new LastError(clock.instant(), text);
  }
}
