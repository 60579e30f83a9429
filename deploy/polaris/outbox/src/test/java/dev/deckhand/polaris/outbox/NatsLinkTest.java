package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The connection while servers come and go. */
class NatsLinkTest extends NatsTest {
  /** Releases 2.24.0 to 2.25.1 of the client fail here in some of the runs: CONNECTED, but no publish gets through. */
  @Test
  void publishingGoesOnAfterEachRestartOfTheServer() {
    var publisher = new JobPublisher(link);
    for (int restart = 0; restart < 6; restart++) {
      for (int i = 0; i < 20; i++) {
        assertThat(publisher.publish(job("t" + restart + "-" + i)).answer())
            .as("publish %d after restart %d", i, restart)
            .isEqualTo(PublishAnswer.QUEUED);
      }
      server.stop();
      await().atMost(SOON).until(() -> !link.connected());
      server.start();
      await().atMost(SOON).until(link::connected);
      // connected comes before the stream is there again
      String probe = "probe" + restart;
      await().atMost(SOON).until(() -> publisher.publish(job(probe)).answer().stored());
    }
  }

  @Test
  void itConnectsOnceTheServerIsThereAndTellsSo() {
    server.stop();
    var connections = new AtomicInteger();
    try (NatsLink early = new NatsLink(NatsSettings.of(server.url()), connections::incrementAndGet)) {
      await().atMost(SOON).until(() -> early.problem().isPresent());
      assertThat(early.connected()).isFalse();
      server.start();
      await().atMost(SOON).until(() -> early.connected() && connections.get() == 1);
    }
  }

  @Test
  void aLoginThatIsRefusedForAWhileIsTriedAgain(@TempDir Path folder) throws Exception {
    Path config = folder.resolve("nats.conf");
    String login = "authorization { user: polaris, password: %s }";
    Files.writeString(config, login.formatted("right"));
    try (NatsServer guarded = NatsServer.launch("--config", config.toString());
        NatsLink link = link(NatsSettings.of(guarded.url()).withLogin("polaris", "right", null))) {
      guarded.stop();
      Files.writeString(config, login.formatted("other"));
      guarded.start();
      // the client itself gives up after two
      await().atMost(SOON).until(() -> guarded.log().split("authentication error", -1).length > 4);
      guarded.stop();
      Files.writeString(config, login.formatted("right"));
      guarded.start();
      await().atMost(SOON).until(link::connected);
    }
  }

  @Test
  void anErrorWhileConnectingIsReportedAndItIsTriedAgain() {
    var reads = new AtomicInteger();
    Path credentials =
        (Path)
            Proxy.newProxyInstance(
                NatsLinkTest.class.getClassLoader(),
                new Class<?>[] {Path.class},
                (proxy, method, arguments) -> {
                  reads.incrementAndGet();
                  throw new NoClassDefFoundError("missing");
                });
    NatsSettings plain = NatsSettings.of(server.url());
    var settings =
        new NatsSettings(
            plain.servers(), credentials, null, null, null, null, null, null, plain.connectTimeout(), plain.publishTimeout());
    try (NatsLink broken = new NatsLink(settings, () -> {})) {
      await().atMost(SOON).until(() -> reads.get() >= 2);
      assertThat(broken.problem().orElseThrow()).contains("NoClassDefFoundError");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoIsToldOfTheConnectionMayFail(boolean error) {
    var told = new AtomicInteger();
    Runnable fails =
        () -> {
          told.incrementAndGet();
          if (error) {
            throw new NoClassDefFoundError("missing");
          }
          throw new IllegalStateException("no sweep");
        };
    try (NatsLink failing = new NatsLink(NatsSettings.of(server.url()), fails)) {
      // longer than the pause before another attempt, which would leave two connections
      await().during(Duration.ofMillis(1_500)).atMost(SOON).until(() -> told.get() == 1 && failing.connected());
      server.stop();
      await().atMost(SOON).until(() -> !failing.connected());
      server.start();
      await().atMost(SOON).until(() -> told.get() == 2 && failing.connected());
    }
  }

  @Test
  void closingDoesNotWaitForAServerThatNeverCame() {
    server.stop();
    NatsLink never = new NatsLink(NatsSettings.of(server.url()), () -> {});
    await().atMost(SOON).until(() -> never.problem().isPresent());
    never.close();
    assertThat(never.connected()).isFalse();
    server.start();
  }

  @Test
  void passwordsInUrlsAreNotPrinted() {
    var settings = NatsSettings.of("nats://polaris:hunter2@localhost:4222").withPublishTimeout(Duration.ofSeconds(1));
    assertThat(settings.toString()).isEqualTo("nats://localhost:4222");
  }
}
