package dev.deckhand.polaris.outbox;

import static org.awaitility.Awaitility.await;

import io.nats.client.Connection;
import io.nats.client.JetStreamApiException;
import io.nats.client.api.MessageInfo;
import io.nats.client.api.StreamConfiguration;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A nats-server with the stream JOBS, and a link to it. */
abstract class NatsTest {
  static final Duration SOON = Duration.ofSeconds(20);

  NatsServer server;
  Connection admin;
  NatsLink link;

  @BeforeEach
  final void startNats() throws Exception {
    server = NatsServer.launch();
    admin = server.connect(options -> options.maxReconnects(-1).reconnectWait(Duration.ofMillis(50)));
    admin.jetStreamManagement().addStream(NatsServer.jobs().build());
    link = link(NatsSettings.of(server.url()));
  }

  @AfterEach
  final void stopNats() throws Exception {
    link.close();
    admin.close();
    server.close();
  }

  static NatsLink link(NatsSettings settings) {
    NatsLink made = new NatsLink(settings, () -> {});
    await().atMost(SOON).until(made::connected);
    return made;
  }

  // never deletes and creates anew: what the deleted stream held may come back in one of the same name
  void stream(StreamConfiguration.Builder configuration) throws IOException, JetStreamApiException {
    admin.jetStreamManagement().updateStream(configuration.build());
  }

  long stored() {
    try {
      return admin.jetStreamManagement().getStreamInfo("JOBS").getStreamState().getMsgCount();
    } catch (IOException | JetStreamApiException e) {
      throw new IllegalStateException(e);
    }
  }

  MessageInfo message(long sequence) throws IOException, JetStreamApiException {
    return admin.jetStreamManagement().getMessage("JOBS", sequence);
  }

  static PurgeJob job(String table) {
    return new PurgeJob(
        "größe.7",
        PurgeJob.PURGE,
        "größe",
        "lake",
        List.of("sales", "eu"),
        table,
        "6f1c2c1e-9f3c-4a5e-8d7f-0b1d2e3f4a5b",
        null,
        "s3://lake/m.json",
        List.of(),
        null,
        null,
        null,
        Instant.EPOCH);
  }
}
