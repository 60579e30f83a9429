package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A sweep: which rows it takes, and that no row keeps the others waiting. */
class SweepTest extends OutboxFixture {
  @ParameterizedTest
  @EnumSource
  void aSweepHandsOverAllRowsThatAreLeft(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    for (int i = 0; i < 25; i++) {
      polaris.dropWithPurge("t" + i, "u-" + i);
    }

    assertThat(outbox(AT_ONCE).sweep(polaris.store(), threads)).contains(new Outbox.Sweep(25, 25, 0));

    assertThat(stored()).isEqualTo(25);
    assertThat(polaris.taskRows()).isEmpty();
  }

  @Test
  void aSweepIsNeverRunTwiceAtOnceAndARowIsNeverHandedOverTwiceAtOnce() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    long row = polaris.dropWithPurge("orders", "u-1");
    var outbox = outbox(AT_ONCE);
    server.freeze();
    var first = threads.submit(() -> outbox.sweep(polaris.store(), threads));
    await().atMost(SOON).until(() -> polaris.taskRow(row).getEntityVersion() > 1);

    assertThat(outbox.sweep(polaris.store(), threads)).as("the second sweep").isEmpty();
    assertThat(outbox.handOver(polaris.store(), row, null)).as("the same row by its drop").isFalse();

    server.thaw();
    assertThat(first.get()).contains(new Outbox.Sweep(1, 1, 0));
    assertThat(status.count(PublishAnswer.QUEUED)).isEqualTo(1);
    assertThat(status.count(PublishAnswer.ALREADY_QUEUED)).isZero();
  }

  @Test
  void fiveThousandForeignRowsKeepNothingWaitingAndAreNeverRewritten() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    polaris.addForeignRows(5_000);
    long ours = polaris.dropWithPurge("orders", "u-1");
    assertThat(polaris.taskRows().stream().map(PolarisBaseEntity::getId).min(Long::compare).orElseThrow())
        .as("foreign rows have lower ids")
        .isLessThan(ours);
    var outbox = outbox(AT_ONCE);

    outbox.sweep(polaris.store(), threads);
    outbox.sweep(polaris.store(), threads);

    assertThat(polaris.taskRow(ours)).as("out within two sweeps").isNull();
    assertThat(stored()).isEqualTo(1);
    assertThat(outbox.foreign()).isEqualTo(5_000);
    assertThat(polaris.taskRows()).hasSize(5_000).allMatch(row -> row.getEntityVersion() == 1);
  }

  @Test
  void badRowsAreCountedAndKeptAndKeepNothingWaiting() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    polaris.addRow("entityCleanup_1", Map.of("taskType", "1"), Map.of());
    polaris.addRow("entityCleanup_2", Map.of("taskType", "1", "data", "broken"), Map.of());
    polaris.dropWithPurge("unreadable", "u-1", Map.of("storage_configuration_info", "broken"));
    long good = polaris.dropWithPurge("orders", "u-2");
    var outbox = outbox(AT_ONCE);

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(4, 1, 0));

    assertThat(polaris.taskRow(good)).isNull();
    assertThat(outbox.unusable()).isEqualTo(3);
    assertThat(outbox.waiting()).isZero();
    assertThat(polaris.taskRows()).hasSize(3).allMatch(row -> row.getEntityVersion() == 1);
  }

  @Test
  void aRowThatFailsEveryTimeKeepsNothingWaiting() throws Exception {
    stream(NatsServer.jobs().maximumMessageSize(1_000));
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    for (int i = 0; i < 10; i++) {
      polaris.dropWithPurge("large" + i, "u-" + i, Map.of("storageLocation", "x", "write.data.path", "x".repeat(2_000)));
    }
    long small = polaris.dropWithPurge("small", "u-small");
    var outbox = outbox(AT_ONCE);

    outbox.sweep(polaris.store(), threads);
    outbox.sweep(polaris.store(), threads);
    outbox.sweep(polaris.store(), threads);

    assertThat(polaris.taskRow(small)).isNull();
    assertThat(polaris.taskRows()).hasSize(10);
    assertThat(status.count(PublishAnswer.REFUSED)).isPositive();
  }

  @Test
  void anErrorInOneRowDoesNotEndTheSweepOfTheOthers() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    for (int i = 0; i < 3; i++) {
      polaris.dropWithPurge("t" + i, "u-" + i);
    }
    var broken = new AtomicInteger(1);
    // leases read the milliseconds
    var clock =
        new HandClock(Instant.now()) {
          @Override
          public long millis() {
            if (broken.getAndDecrement() > 0) {
              throw new NoClassDefFoundError("missing");
            }
            return super.millis();
          }
        };
    var alone = new OutboxSettings(Duration.ZERO, Duration.ofMinutes(2), Duration.ofHours(1), 1);
    clock.advance(Duration.ofMinutes(1));
    var outbox = outbox(alone, "one", clock);

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(3, 2, 1));

    assertThat(status.lastError().orElseThrow().text()).contains("NoClassDefFoundError");
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 1, 0));
  }

  @Test
  void anErrorBetweenRowsIsToldAndTheNextSweepGoesOn() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    polaris.addForeignRows(1);
    var broken = new AtomicInteger();
    var clock =
        new HandClock(Instant.now()) {
          @Override
          public Instant instant() {
            if (broken.getAndDecrement() > 0) {
              throw new StackOverflowError("deep");
            }
            return super.instant();
          }
        };
    var outbox = outbox(AT_ONCE, "one", clock);
    outbox.sweep(polaris.store(), threads);
    assertThat(outbox.foreign()).isEqualTo(1);
    broken.set(1);

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 0, 1));

    assertThat(status.lastError().orElseThrow().text()).contains("StackOverflowError");
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 0, 0));
  }
}
