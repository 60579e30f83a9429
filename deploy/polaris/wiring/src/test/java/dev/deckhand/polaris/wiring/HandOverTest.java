package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.when;

import dev.deckhand.polaris.outbox.NatsServer;
import dev.deckhand.polaris.outbox.Outbox;
import dev.deckhand.polaris.outbox.RealMetaStore;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.nats.client.Connection;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.test.InjectMock;
import io.quarkus.test.component.QuarkusComponentTestExtension;
import jakarta.inject.Inject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.apache.polaris.core.auth.PolarisPrincipal;
import org.apache.polaris.core.config.RealmConfigurationSource;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.apache.polaris.service.task.TaskExecutor;
import org.apache.polaris.service.task.TaskExecutorImpl;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** All our beans in ArC, Polaris' own metastore, a real nats-server; only the HTTP half of Polaris is missing. */
class HandOverTest {
  private static final Duration SOON = Duration.ofSeconds(20);
  private static final NatsServer NATS = NatsServer.launch();

  @RegisterExtension
  static final QuarkusComponentTestExtension ARC =
      QuarkusComponentTestExtension.builder()
          .addComponentClasses(
              DelegatingTaskExecutor.class,
              Delegation.class,
              SweepTimer.class,
              OutboxHealth.class,
              OutboxMetrics.class)
          .configProperty("deckhand.nats.servers", NATS.url())
          .configProperty("deckhand.nats.publish-timeout", "PT1S")
          .configProperty("deckhand.sweep.interval", "PT1H")
          .configProperty("polaris.realm-context.realms", RealMetaStore.REALM)
          .configProperty("polaris.realm-context.header-name", "Polaris-Realm")
          .configProperty("polaris.realm-context.require-header", "false")
          .configProperty("polaris.realm-context.type", "default")
          .build();

  @Inject TaskExecutor executor;
  @Inject Delegation delegation;
  @Inject SweepTimer timer;
  @Inject OutboxMetrics metrics;
  @Inject @Readiness OutboxHealth health;
  @InjectMock TaskExecutorImpl builtIn;
  @InjectMock PolarisPrincipal principal;
  @InjectMock MetaStoreManagerFactory factory;
  @InjectMock RealmConfigurationSource realmConfig;
  @InjectMock MeterRegistry unused;

  private final RealMetaStore polaris = Server.metaStore();
  private Connection admin;

  @BeforeEach
  void startServer() throws Exception {
    when(factory.getOrCreateMetaStoreManager(any())).thenReturn(polaris.manager());
    when(factory.getOrCreateSession(any())).thenReturn(polaris.context().getMetaStore());
    when(principal.getName()).thenReturn("alice");
    admin = NATS.connect();
    admin.jetStreamManagement().addStream(NatsServer.jobs().build());
    await().atMost(SOON).until(delegation::connected);
  }

  @AfterEach
  void stopServer() throws Exception {
    if (admin.getStatus() != Connection.Status.CONNECTED) {
      NATS.start();
      admin = NATS.connect();
    }
    // not deleted: what a deleted stream held may come back in one of the same name
    admin.jetStreamManagement().purgeStream("JOBS");
    admin.close();
  }

  @Test
  void anErrorInASweepIsToldAndDoesNotEndTheTimer() {
    when(factory.getOrCreateSession(any())).thenThrow(new NoClassDefFoundError("missing"));

    timer.sweepAll();

    assertThat(delegation.status().lastError().orElseThrow().text()).contains("NoClassDefFoundError");
  }

  @Test
  void anErrorBeforeTheHandOverIsToldAndTheNextSweepHasTheRow() {
    long row = polaris.dropWithPurge("orders", "u-1");
    when(factory.getOrCreateMetaStoreManager(any()))
        .thenThrow(new NoClassDefFoundError("missing"))
        .thenReturn(polaris.manager());

    executor.addTaskHandlerContext(row, polaris.context());

    await().atMost(SOON).until(() -> delegation.status().lastError().isPresent());
    assertThat(delegation.status().lastError().orElseThrow().text()).contains("task row " + row, "NoClassDefFoundError");
    assertThat(delegation.sum(Outbox::waiting)).isEqualTo(1);
    timer.sweepAll();
    assertThat(polaris.taskRow(row)).as("at once, since it is known to be this server's").isNull();
  }

  @Test
  void aDropWithPurgeIsHandedOverOffTheRequestThread() throws Exception {
    long row = polaris.dropWithPurge("orders", "u-1");

    executor.addTaskHandlerContext(row, polaris.context());

    await().atMost(SOON).until(() -> polaris.taskRow(row) == null);
    String job = new String(admin.jetStreamManagement().getLastMessage("JOBS", "jobs.>").getData(), StandardCharsets.UTF_8);
    assertThat(job).contains("\"requested_by\":\"alice\"", "\"catalog\":\"lake\"");
  }

  @Test
  void dropsWhileNatsIsAwayReturnAndAreHandedOverWhenItIsBack() throws Exception {
    timer.start(new StartupEvent());
    NATS.stop();
    await().atMost(SOON).until(() -> !delegation.connected());

    for (int i = 0; i < 50; i++) {
      executor.addTaskHandlerContext(polaris.dropWithPurge("t" + i, "u-" + i), polaris.context());
    }

    HealthCheckResponse away = health.call();
    assertThat(away.getStatus()).as("NATS must not take Polaris down").isEqualTo(HealthCheckResponse.Status.UP);
    assertThat(away.getData().orElseThrow()).containsEntry("nats", "away").containsEntry("rows_waiting", 50L);
    assertThat(polaris.taskRows()).hasSize(50);

    NATS.start();
    await().atMost(SOON).until(() -> polaris.taskRows().isEmpty());
    assertThat(delegation.sum(Outbox::waiting)).isZero();
    assertThat(delegation.oldestAge()).isEqualTo(Duration.ZERO);
  }

  @Test
  void theStartLineSaysWhatIsActiveAndWherePurgeIsRefused() {
    assertThat(timer.startLine())
        .startsWith("Deckhand is active: purges of the realms [realm-1] go to NATS")
        .contains("DROP_WITH_PURGE_ENABLED is off in [realm-1]");
    when(realmConfig.getConfigValue(any(), any())).thenReturn(true);
    assertThat(timer.startLine()).startsWith("Deckhand is active").doesNotContain("DROP_WITH_PURGE_ENABLED");
  }

  @Test
  void metricsTellWhatWaitsAndWhatTheStreamAnswered() throws Exception {
    var registry = new SimpleMeterRegistry();
    metrics.bind(registry);
    admin.jetStreamManagement().deleteStream("JOBS"); // it is empty
    long row = polaris.dropWithPurge("orders", "u-1");

    executor.addTaskHandlerContext(row, polaris.context());

    await().atMost(SOON).until(() -> delegation.status().lastError().isPresent());
    assertThat(registry.get("deckhand.outbox.rows").tag("state", "waiting").gauge().value()).isEqualTo(1);
    assertThat(registry.get("deckhand.outbox.publishes").tag("answer", "no_stream").functionCounter().count()).isEqualTo(1);
    assertThat(registry.get("deckhand.nats.connected").gauge().value()).isEqualTo(1);
    assertThat(health.call().getData().orElseThrow().get("last_error").toString()).contains("worker setup");
    double swept = registry.get("deckhand.outbox.sweeps").functionCounter().count();
    timer.sweepAll();
    await().atMost(SOON).until(() -> registry.get("deckhand.outbox.sweeps").functionCounter().count() > swept);
    admin.jetStreamManagement().addStream(NatsServer.jobs().build());
  }
}
