package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whose a row is: several servers on one database, also stock ones, and servers that died. */
class LeasesTest extends OutboxFixture {
  @Test
  void rowsOfOtherServersAreLeftAloneUntilTheyAreOldEnough() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    long row = polaris.dropWithPurge("orders", "u-1");
    var clock = new HandClock(Instant.now());
    var outbox = outbox(OutboxSettings.DEFAULTS, "one", clock);

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 0, 0));
    assertThat(polaris.taskRow(row).getEntityVersion()).isEqualTo(1);

    clock.advance(Duration.ofSeconds(61));
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 1, 0));
  }

  @Test
  void rowsDroppedThroughThisServerNeedNotGrowOld() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    long row = polaris.dropWithPurge("orders", "u-1");
    var outbox = outbox(OutboxSettings.DEFAULTS);

    outbox.remember(row, "alice");

    assertThat(outbox.waiting()).isEqualTo(1);
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 1, 0));
  }

  @ParameterizedTest
  @EnumSource
  void aRowLeasedByAServerThatDiedIsTakenOverWhenTheLeaseEnds(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    long row = polaris.dropWithPurge("orders", "u-1");
    var clock = new HandClock(Instant.now());
    // it published and died before it could delete the row
    var dead = new Leases("dead", AT_ONCE.lease(), clock);
    assertThat(dead.take(polaris.store(), polaris.taskRow(row))).isPresent();
    new JobPublisher(link).publish(mapped(polaris, row));
    var outbox = outbox(AT_ONCE, "alive", clock);

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 0, 0));
    clock.advance(AT_ONCE.lease().plusSeconds(1));
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 1, 0));

    assertThat(stored()).as("the job was queued once").isEqualTo(1);
    assertThat(polaris.taskRow(row)).isNull();
  }

  @ParameterizedTest
  @EnumSource
  void ofTwoServersOnlyOneGetsTheLease(RealMetaStore.Kind kind) {
    var polaris = new RealMetaStore(kind);
    PolarisBaseEntity seen = polaris.taskRow(polaris.dropWithPurge("orders", "u-1"));

    assertThat(new Leases("one", AT_ONCE.lease(), Clock.systemUTC()).take(polaris.store(), seen)).isPresent();
    assertThat(new Leases("two", AT_ONCE.lease(), Clock.systemUTC()).take(polaris.store(), seen)).isEmpty();
  }

  @Test
  void aLeaseThatMayEndDuringAPublishIsRefused() {
    AT_ONCE.checkLease(Duration.ofSeconds(59));
    assertThatThrownBy(() -> AT_ONCE.checkLease(Duration.ofMinutes(1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("deckhand.sweep.lease");
  }

  private static PurgeJob mapped(RealMetaStore polaris, long row) {
    Mapped mapped =
        PurgeJobMapper.map(RealMetaStore.REALM, polaris.taskRow(row), null, polaris.store()::catalogName);
    return ((Mapped.Ours) mapped).job();
  }
}
