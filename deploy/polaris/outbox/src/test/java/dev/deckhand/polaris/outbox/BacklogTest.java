package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How fast a backlog drains. It prints a figure, and asserts only that the backlog is gone. */
class BacklogTest extends NatsTest {
  private static final int ROWS = 10_000;

  @ParameterizedTest
  @EnumSource
  void tenThousandRowsDrainInOneSweep(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    for (int i = 0; i < ROWS; i++) {
      polaris.dropWithPurge("t" + i, "u-" + i);
    }
    var settings = new OutboxSettings(Duration.ZERO, Duration.ofMinutes(2), Duration.ofHours(1), 16);
    var outbox = new Outbox(settings, link, new OutboxStatus(Clock.systemUTC()), "one", Clock.systemUTC());
    ExecutorService threads = Executors.newFixedThreadPool(16);
    try {
      long begun = System.nanoTime();
      var sweep = outbox.sweep(polaris.store(), threads).orElseThrow();
      double seconds = (System.nanoTime() - begun) / 1e9;

      System.out.printf(
          "backlog of %d rows, %s metastore: drained in %.1f s, %.0f rows/s%n",
          ROWS, kind, seconds, sweep.handedOver() / seconds);
      assertThat(sweep).isEqualTo(new Outbox.Sweep(ROWS, ROWS, 0));
      assertThat(stored()).isEqualTo(ROWS);
      assertThat(polaris.taskRows()).isEmpty();
    } finally {
      threads.shutdownNow();
    }
  }
}
