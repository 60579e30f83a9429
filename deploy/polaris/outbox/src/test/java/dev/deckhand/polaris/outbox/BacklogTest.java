package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import io.nats.client.api.StreamInfoOptions;
import io.nats.client.api.Subject;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A backlog drains in one sweep, each row into one job. How fast is printed and not asserted. */
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
    var status = new OutboxStatus(Clock.systemUTC());
    var outbox = new Outbox(settings, link, status, "one", Clock.systemUTC());
    ExecutorService threads = Executors.newFixedThreadPool(16);
    try {
      long begun = System.nanoTime();
      var sweep = outbox.sweep(polaris.store(), threads).orElseThrow();
      double seconds = (System.nanoTime() - begun) / 1e9;

      System.out.printf(
          "backlog of %d rows, %s metastore: drained in %.1f s, %.0f rows/s%n",
          ROWS, kind, seconds, sweep.handedOver() / seconds);
      assertThat(sweep).isEqualTo(new Outbox.Sweep(ROWS, ROWS, 0));
      assertThat(polaris.taskRows()).isEmpty();
      assertThat(outbox.waiting()).isZero();
      assertThat(status.count(PublishAnswer.QUEUED)).isEqualTo(ROWS);
      assertThat(status.count(PublishAnswer.ALREADY_QUEUED)).as("published a second time").isZero();
      var stream = admin.jetStreamManagement().getStreamInfo("JOBS", StreamInfoOptions.allSubjects()).getStreamState();
      assertThat(stream.getLastSequence()).as("messages that were ever stored").isEqualTo(ROWS);
      assertThat(stream.getSubjects())
          .hasSize(ROWS)
          .allMatch(subject -> subject.getCount() == 1)
          .extracting(Subject::getName)
          .contains("jobs.purge.realm-1.lake.sales.t0.u-0", "jobs.purge.realm-1.lake.sales.t9999.u-9999");
    } finally {
      threads.shutdownNow();
    }
  }
}
