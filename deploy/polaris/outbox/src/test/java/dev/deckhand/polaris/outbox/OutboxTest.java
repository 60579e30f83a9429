package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisEntityCore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Polaris' own metastore on one side, a real nats-server on the other. */
class OutboxTest extends NatsTest {
  private static final OutboxSettings AT_ONCE =
      new OutboxSettings(Duration.ZERO, Duration.ofMinutes(2), Duration.ofHours(1), 4);

  private final ExecutorService threads = Executors.newFixedThreadPool(4);
  private final OutboxStatus status = new OutboxStatus(Clock.systemUTC());

  @AfterEach
  void stopThreads() {
    threads.shutdownNow();
  }

  @ParameterizedTest
  @EnumSource
  void aDropWithPurgeBecomesOneMessageAndTheRowGoes(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    long row = polaris.dropWithPurge("orders", "u-1");

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), row, "alice")).isTrue();

    assertThat(new String(message(1).getData(), "UTF-8"))
        .startsWith("{\"v\":1,\"id\":\"realm-1." + row + "\",\"kind\":\"purge\",\"realm\":\"realm-1\",\"catalog\":\"lake\"")
        .contains("\"requested_by\":\"alice\"");
    assertThat(polaris.taskRow(row)).isNull();
  }

  @ParameterizedTest
  @EnumSource
  void aDroppedViewBecomesAPurgeOfTheView(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    long row = polaris.dropView("recent");

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), row, null)).isTrue();

    assertThat(message(1).getSubject()).startsWith("jobs.purge-view.realm-1.lake.sales.recent.");
    assertThat(polaris.taskRow(row)).isNull();
  }

  @Test
  void twoRowsOfOneTableAreOneJob() {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    long first = polaris.dropWithPurge("orders", "u-1");
    long second = polaris.dropWithPurge("orders", "u-1");

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), first, null)).isTrue();
    assertThat(outbox(AT_ONCE).handOver(polaris.store(), second, null)).isTrue();

    assertThat(stored()).isEqualTo(1);
    assertThat(polaris.taskRows()).isEmpty();
  }

  @Test
  void aRowThatIsGoneIsNoError() {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), 12345, null)).isFalse();

    assertThat(status.lastError()).isEmpty();
  }

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
  void theRowStaysWhileThereIsNoStreamAndIsPublishedOnceThereIs() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    var outbox = outbox(AT_ONCE);
    admin.jetStreamManagement().deleteStream("JOBS");
    long row = polaris.dropWithPurge("orders", "u-1");

    assertThat(outbox.handOver(polaris.store(), row, "alice")).isFalse();

    assertThat(polaris.taskRow(row)).isNotNull();
    assertThat(outbox.waiting()).isEqualTo(1);
    assertThat(status.lastError().orElseThrow().text()).contains("worker setup");
    admin.jetStreamManagement().addStream(NatsServer.jobs().build());
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 1, 0));
    assertThat(new String(message(1).getData(), "UTF-8")).as("who asked").contains("\"requested_by\":\"alice\"");
    assertThat(outbox.waiting()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void whileNatsIsAwayRowsAreCountedAndNeverLeased(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    var outbox = outbox(AT_ONCE);
    for (int i = 0; i < 50; i++) {
      polaris.dropWithPurge("t" + i, "u-" + i);
    }
    List<Integer> versions = versions(polaris);
    server.stop();
    await().atMost(SOON).until(() -> !link.connected());

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(50, 0, 0));
    assertThat(outbox.waiting()).isEqualTo(50);
    assertThat(outbox.oldest()).isPresent();
    assertThat(versions(polaris)).as("nothing was written").isEqualTo(versions);

    server.start();
    await().atMost(SOON).until(link::connected);
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(50, 50, 0));
    assertThat(outbox.waiting()).isZero();
    assertThat(outbox.oldest()).isEmpty();
    await().atMost(SOON).ignoreExceptions().until(() -> stored() == 50);
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
  void aSweepThatGotNoAnswerConnectsAnewAndTheNextOneGoesOn() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    polaris.dropWithPurge("orders", "u-1");
    var connections = new AtomicInteger();
    var settings = NatsSettings.of(server.url()).withPublishTimeout(Duration.ofMillis(300));
    try (NatsLink quick = new NatsLink(settings, connections::incrementAndGet)) {
      await().atMost(SOON).until(() -> connections.get() == 1);
      var outbox = new Outbox(AT_ONCE, quick, status, "one", Clock.systemUTC());
      server.freeze();
      assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 0, 1));
      assertThat(status.count(PublishAnswer.UNKNOWN)).isEqualTo(1);
      server.thaw();
      await()
          .atMost(SOON)
          .until(() -> outbox.sweep(polaris.store(), threads).orElseThrow().rows() == 0);
      await().atMost(SOON).until(() -> connections.get() == 2);
    }
    assertThat(stored()).isEqualTo(1);
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

  /** Error 10164 takes a cluster to provoke: a subscriber answers it in the stream's stead. */
  @Test
  void aRowIsKeptWhileAnotherPublishOfItsJobIsNotCommitted() throws Exception {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    polaris.dropWithPurge("orders", "u-1");
    var outbox = outbox(AT_ONCE);
    admin.jetStreamManagement().deleteStream("JOBS");
    byte[] undecided =
        "{\"error\":{\"code\":400,\"err_code\":10164,\"description\":\"wrong last sequence\"}}".getBytes("UTF-8");
    var leader = admin.createDispatcher(request -> admin.publish(request.getReplyTo(), undecided));
    leader.subscribe("jobs.>");
    admin.flush(SOON);

    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 0, 1));

    assertThat(polaris.taskRows()).hasSize(1);
    assertThat(outbox.waiting()).isEqualTo(1);
    admin.closeDispatcher(leader);
    admin.jetStreamManagement().addStream(NatsServer.jobs().build());
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(1, 1, 0));
    assertThat(polaris.taskRows()).isEmpty();
    assertThat(stored()).isEqualTo(1);
  }

  @Test
  void anAccountThatMayNotReadAnswersIsToldSoAndNothingMoreIsPublished(@TempDir Path folder) throws Exception {
    Path config = folder.resolve("nats.conf");
    Files.writeString(
        config,
        """
        authorization { users = [
          { user: polaris, password: p, permissions: { publish: "jobs.purge.>", subscribe: "_INBOX_polaris.>" } }
          { user: admin, password: p }
        ] }
        """);
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    for (int i = 0; i < 10; i++) {
      polaris.dropWithPurge("t" + i, "u-" + i);
    }
    try (NatsServer guarded = NatsServer.launch("--config", config.toString());
        var operator = guarded.connect(options -> options.userInfo("admin", "p"));
        NatsLink deaf =
            link(
                NatsSettings.of(guarded.url())
                    .withLogin("polaris", "p", null)
                    .withPublishTimeout(Duration.ofSeconds(1)))) {
      operator.jetStreamManagement().addStream(NatsServer.jobs().build());
      var purges = operator.subscribe("jobs.>");
      operator.flush(SOON);
      var outbox = new Outbox(AT_ONCE, deaf, status, "one", Clock.systemUTC());

      assertThat(outbox.sweep(polaris.store(), threads).orElseThrow().handedOver()).isZero();

      assertThat(status.count(PublishAnswer.UNKNOWN)).isZero();
      assertThat(status.count(PublishAnswer.DENIED)).isBetween(1L, (long) AT_ONCE.parallel());
      assertThat(status.lastError().orElseThrow().text()).startsWith("DENIED").contains("set deckhand.nats.inbox-prefix");
      assertThat(deaf.connected()).isTrue();
      assertThat(deaf.ready()).isFalse();
      assertThat(deaf.problem().orElseThrow()).contains("set deckhand.nats.inbox-prefix");
      operator.flush(SOON);
      long before = purges.getPendingMessageCount();
      assertThat(before).as("only what was under way").isBetween(0L, (long) AT_ONCE.parallel());

      assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(10, 0, 0));
      assertThat(new JobPublisher(deaf).publish(job("orders")).answer()).isEqualTo(PublishAnswer.DENIED);
      operator.flush(SOON);
      assertThat(purges.getPendingMessageCount()).as("nothing more").isEqualTo(before);
      assertThat(polaris.taskRows()).hasSize(10);

      // a connection that may read answers hands over all of them, also those that the stream has got meanwhile
      guarded.stop();
      await().atMost(SOON).until(() -> !deaf.connected());
      Files.writeString(config, Files.readString(config).replace("_INBOX_polaris.>", "_INBOX.>"));
      guarded.start();
      await().atMost(SOON).until(deaf::ready);
      await()
          .atMost(SOON)
          .until(
              () -> {
                outbox.sweep(polaris.store(), threads);
                return polaris.taskRows().isEmpty();
              });
    }
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
  void aLeaseThatMayEndDuringAPublishIsRefused() {
    AT_ONCE.checkLease(Duration.ofSeconds(59));
    assertThatThrownBy(() -> AT_ONCE.checkLease(Duration.ofMinutes(1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("deckhand.sweep.lease");
  }

  @Test
  void aFullStreamStopsTheSweepAndNothingIsLost() throws Exception {
    stream(NatsServer.jobs().maxMessages(3));
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    for (int i = 0; i < 40; i++) {
      polaris.dropWithPurge("t" + i, "u-" + i);
    }
    var outbox = outbox(AT_ONCE);

    var sweep = outbox.sweep(polaris.store(), threads).orElseThrow();

    assertThat(sweep.handedOver()).isEqualTo(3);
    assertThat(sweep.failed()).as("one publish of each thread at most").isBetween(1, AT_ONCE.parallel());
    assertThat(polaris.taskRows()).hasSize(37);
    assertThat(outbox.waiting()).isEqualTo(37);
    stream(NatsServer.jobs());
    assertThat(outbox.sweep(polaris.store(), threads)).contains(new Outbox.Sweep(37, 37, 0));
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

  private Outbox outbox(OutboxSettings settings) {
    return outbox(settings, "one", Clock.systemUTC());
  }

  private Outbox outbox(OutboxSettings settings, String owner, Clock clock) {
    return new Outbox(settings, link, status, owner, clock);
  }

  private static PurgeJob mapped(RealMetaStore polaris, long row) {
    Mapped mapped =
        PurgeJobMapper.map(RealMetaStore.REALM, polaris.taskRow(row), null, polaris.store()::catalogName);
    return ((Mapped.Ours) mapped).job();
  }

  private static List<Integer> versions(RealMetaStore polaris) {
    return polaris.taskRows().stream().map(PolarisEntityCore::getEntityVersion).toList();
  }

  /** A clock that is moved by hand. */
  private static class HandClock extends Clock {
    private Instant now;

    HandClock(Instant now) {
      this.now = now;
    }

    void advance(Duration by) {
      now = now.plus(by);
    }

    @Override
    public Instant instant() {
      return now;
    }

    @Override
    public ZoneId getZone() {
      return ZoneId.of("UTC");
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }
}
