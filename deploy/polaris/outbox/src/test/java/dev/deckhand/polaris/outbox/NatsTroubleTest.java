package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.polaris.core.entity.PolarisEntityCore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rows while NATS is away, refuses, or does not answer: each is kept, and published once it can be. */
class NatsTroubleTest extends OutboxFixture {
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

  private static List<Integer> versions(RealMetaStore polaris) {
    return polaris.taskRows().stream().map(PolarisEntityCore::getEntityVersion).toList();
  }
}
