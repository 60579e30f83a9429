package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.nats.client.api.MessageInfo;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each answer of the contract's table, from a real stream. */
class JobPublisherTest extends NatsTest {
  @Test
  void aJobIsStoredWithItsHeadersAndBytes() throws Exception {
    PurgeJob job = job("orders");

    assertThat(new JobPublisher(link).publish(job)).isEqualTo(Published.of(PublishAnswer.QUEUED));

    MessageInfo stored = message(1);
    assertThat(stored.getSubject()).isEqualTo(job.subject());
    assertThat(stored.getData()).isEqualTo(job.json());
    assertThat(stored.getHeaders().get("Job-Id")).isEqualTo(List.of("gr=C3=B6=C3=9Fe=2E7"));
    assertThat(stored.getHeaders().get("Job-Kind")).isEqualTo(List.of("purge"));
    assertThat(stored.getHeaders().get("Job-Version")).isEqualTo(List.of("1"));
    assertThat(stored.getHeaders().get("Nats-Expected-Last-Subject-Sequence")).isEqualTo(List.of("0"));
    assertThat(stored.getHeaders().get("Nats-Expected-Stream")).isEqualTo(List.of("JOBS"));
  }

  @Test
  void theSameJobAgainIsAlreadyQueued() {
    new JobPublisher(link).publish(job("orders"));

    assertThat(new JobPublisher(link).publish(job("orders")).answer()).isEqualTo(PublishAnswer.ALREADY_QUEUED);
    assertThat(stored()).isEqualTo(1);
  }

  @Test
  void aFullStreamIsNotMistakenForAlreadyQueued() throws Exception {
    stream(NatsServer.jobs().maxMessages(1));
    new JobPublisher(link).publish(job("orders"));

    Published full = new JobPublisher(link).publish(job("returns"));

    assertThat(full.answer()).isEqualTo(PublishAnswer.FULL);
    assertThat(full.detail()).contains("maximum messages exceeded");
  }

  @Test
  void aStreamWithoutRoomForTheBytesIsFull() throws Exception {
    stream(NatsServer.jobs().maxBytes(1));

    assertThat(new JobPublisher(link).publish(job("orders")).answer()).isEqualTo(PublishAnswer.FULL);
  }

  @Test
  void withoutTheStreamNothingTakesTheJob() throws Exception {
    admin.jetStreamManagement().deleteStream("JOBS");

    Published none = new JobPublisher(link).publish(job("orders"));

    assertThat(none.answer()).isEqualTo(PublishAnswer.NO_STREAM);
    assertThat(none.detail()).contains("worker setup");
  }

  @Test
  void anotherStreamOnTheSubjectIsNoStreamOfOurs() throws Exception {
    admin.jetStreamManagement().deleteStream("JOBS");
    admin.jetStreamManagement().addStream(NatsServer.jobs().name("OTHER").build());

    assertThat(new JobPublisher(link).publish(job("orders")).answer()).isEqualTo(PublishAnswer.NO_STREAM);
  }

  @Test
  void aJobThatTheStreamFindsTooLargeIsRefused() throws Exception {
    stream(NatsServer.jobs().maximumMessageSize(100));

    assertThat(new JobPublisher(link).publish(job("orders")).answer()).isEqualTo(PublishAnswer.REFUSED);
  }

  /** Answers that take a cluster or a broken disk to provoke: a subscriber gives them in the stream's stead. */
  @ParameterizedTest
  @CsvSource({
    "10071, wrong last sequence: 7, ALREADY_QUEUED",
    "10164, wrong last sequence, UNKNOWN",
    "10077, maximum messages per subject exceeded, ALREADY_QUEUED",
    "10077, maximum messages exceeded, FULL",
    "10077, maximum bytes exceeded, FULL",
    "10077, no space left on device, FULL",
    "10002, resource limits exceeded for account, FULL",
    "10023, insufficient resources, FULL",
    "10047, resource limits exceeded for server, FULL",
    "10060, expected stream does not match, NO_STREAM",
    "10008, JetStream system temporarily unavailable, REFUSED",
  })
  void eachErrorOfTheContractIsReadAsItSays(int code, String text, PublishAnswer expected) throws Exception {
    admin.jetStreamManagement().deleteStream("JOBS");
    String error = "{\"error\":{\"code\":503,\"err_code\":%d,\"description\":\"%s\"}}".formatted(code, text);
    var stream = admin.createDispatcher(request -> admin.publish(request.getReplyTo(), error.getBytes(StandardCharsets.UTF_8)));
    stream.subscribe("jobs.>");
    admin.flush(SOON);

    Published published = new JobPublisher(link).publish(job("orders"));

    assertThat(published.answer()).isEqualTo(expected);
    if (!expected.stored() && expected != PublishAnswer.NO_STREAM) {
      assertThat(published.detail()).contains(text);
    }
  }

  @Test
  void anAccountWithoutRoomIsFull(@TempDir Path folder) throws Exception {
    Path config = folder.resolve("nats.conf");
    Files.writeString(
        config,
        "accounts { A { jetstream { max_file: 4096 }, users: [ { user: polaris, password: p } ] } }");
    try (NatsServer small = NatsServer.launch("--config", config.toString());
        NatsLink polaris = link(NatsSettings.of(small.url()).withLogin("polaris", "p", null))) {
      polaris.connection().orElseThrow().jetStreamManagement().addStream(NatsServer.jobs().build());
      var publisher = new JobPublisher(polaris);
      var answers =
          IntStream.range(0, 50).mapToObj(i -> publisher.publish(job("t" + i)).answer()).distinct().toList();

      assertThat(answers).containsExactly(PublishAnswer.QUEUED, PublishAnswer.FULL);
    }
  }

  @Test
  void aServerThatDoesNotAnswerLeavesItUnknownAndRepeatingIsSafe() {
    try (NatsLink quick = link(NatsSettings.of(server.url()).withPublishTimeout(Duration.ofMillis(300)))) {
      server.freeze();
      Published silent = new JobPublisher(quick).publish(job("orders"));
      server.thaw();

      assertThat(silent.answer()).isEqualTo(PublishAnswer.UNKNOWN);
      assertThat(new JobPublisher(link).publish(job("orders")).answer()).isEqualTo(PublishAnswer.ALREADY_QUEUED);
      assertThat(stored()).isEqualTo(1);
    }
  }

  @Test
  void withoutAConnectionNothingIsSent() {
    server.stop();
    await().atMost(SOON).until(() -> !link.connected());

    assertThat(new JobPublisher(link).publish(job("orders")).answer()).isEqualTo(PublishAnswer.AWAY);
    server.start();
  }

  @Test
  void anAccountThatMayNotPublishIsDenied(@TempDir Path folder) throws Exception {
    Path config = folder.resolve("nats.conf");
    Files.writeString(
        config,
        """
        authorization { users = [
          { user: polaris, password: p, permissions: { publish: "jobs.purge.>", subscribe: "_INBOX_polaris.>" } }
          { user: denied, password: p, permissions: { publish: "nothing", subscribe: "_INBOX.>" } }
          { user: admin, password: p }
        ] }
        """);
    try (NatsServer guarded = NatsServer.launch("--config", config.toString());
        var operator = guarded.connect(options -> options.userInfo("admin", "p"));
        NatsLink allowed =
            link(NatsSettings.of(guarded.url()).withLogin("polaris", "p", "_INBOX_polaris"));
        NatsLink denied =
            link(
                NatsSettings.of(guarded.url())
                    .withLogin("denied", "p", null)
                    .withPublishTimeout(Duration.ofSeconds(1)))) {
      operator.jetStreamManagement().addStream(NatsServer.jobs().build());

      // at once, so that each refusal must find its publish
      var publisher = new JobPublisher(denied);
      assertThat(
              IntStream.range(0, 8)
                  .mapToObj(i -> CompletableFuture.supplyAsync(() -> publisher.publish(job("t" + i)).answer()))
                  .toList())
          .extracting(CompletableFuture::join)
          .containsOnly(PublishAnswer.DENIED);
      assertThat(new JobPublisher(allowed).publish(job("orders")).answer()).isEqualTo(PublishAnswer.QUEUED);
    }
  }
}
