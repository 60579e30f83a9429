package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;

/** Polaris' own metastore on one side, a real nats-server on the other. */
abstract class OutboxFixture extends NatsTest {
  static final OutboxSettings AT_ONCE =
      new OutboxSettings(Duration.ZERO, Duration.ofMinutes(2), Duration.ofHours(1), 4);

  final ExecutorService threads = Executors.newFixedThreadPool(4);
  final OutboxStatus status = new OutboxStatus(Clock.systemUTC());

  @AfterEach
  final void stopThreads() {
    threads.shutdownNow();
  }

  Outbox outbox(OutboxSettings settings) {
    return outbox(settings, "one", Clock.systemUTC());
  }

  Outbox outbox(OutboxSettings settings, String owner, Clock clock) {
    return new Outbox(settings, link, status, owner, clock);
  }
}
