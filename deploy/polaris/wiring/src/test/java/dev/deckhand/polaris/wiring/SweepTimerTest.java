package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import dev.deckhand.polaris.outbox.RealMetaStore;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.polaris.core.config.RealmConfigurationSource;
import org.apache.polaris.core.context.RealmContext;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.apache.polaris.service.context.RealmContextConfiguration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The timer while the metastore fails; NATS is away, so that sweeps only count. */
class SweepTimerTest {
  private static final Duration SOON = Duration.ofSeconds(20);
  private static final List<String> BOTH = List.of("broken", RealMetaStore.REALM);

  private final DeckhandConfig config = ConfigCheckTest.config("sweep.interval=PT0.1S", "nats.servers=nats://127.0.0.1:1");
  private final RealMetaStore polaris = Server.metaStore();
  private final MetaStoreManagerFactory factory = mock(MetaStoreManagerFactory.class);
  private final RealmContextConfiguration realms = mock(RealmContextConfiguration.class);
  private final RealmConfigurationSource settings = (realm, key) -> null;
  private final Delegation delegation = new Delegation(config, factory);
  private final SweepTimer timer = new SweepTimer(config, delegation, factory, settings, realms);

  @BeforeEach
  void startDelegation() {
    delegation.start();
    when(factory.getOrCreateMetaStoreManager(any())).thenReturn(polaris.manager());
    when(factory.getOrCreateSession(any())).thenReturn(polaris.context().getMetaStore());
  }

  @AfterEach
  void stop() throws InterruptedException {
    timer.stop(new ShutdownEvent());
    delegation.stop();
  }

  @Test
  void anErrorOfTheMetastoreIsToldAndTheNextSweepComesAtItsTime() {
    when(realms.realms()).thenReturn(List.of(RealMetaStore.REALM));
    var calls = new AtomicInteger();
    when(factory.getOrCreateSession(any()))
        .thenAnswer(
            call -> {
              if (calls.incrementAndGet() <= 3) {
                throw new NoClassDefFoundError("missing");
              }
              return polaris.context().getMetaStore();
            });

    timer.start(new StartupEvent());

    await().atMost(SOON).until(() -> delegation.status().sweeps() >= 2);
    assertThat(delegation.status().failures()).isEqualTo(3);
    assertThat(delegation.status().lastError().orElseThrow().text())
        .isEqualTo("sweep of realm realm-1: java.lang.NoClassDefFoundError: missing");
  }

  @Test
  void anErrorBeforeAnyRealmIsSweptDoesNotEndTheTimer() {
    var failures = new AtomicInteger();
    when(realms.realms())
        .thenAnswer(
            call -> {
              // not for the line of the start
              if (Thread.currentThread().getName().equals("deckhand-sweep") && failures.incrementAndGet() <= 2) {
                throw new StackOverflowError("deep");
              }
              return List.of(RealMetaStore.REALM);
            });

    timer.start(new StartupEvent());

    await().atMost(SOON).until(() -> delegation.status().sweeps() >= 1);
    assertThat(delegation.status().failures()).isEqualTo(2);
  }

  @Test
  void oneRealmWithAnErrorKeepsNoOtherWaiting() {
    when(realms.realms()).thenReturn(BOTH);
    when(factory.getOrCreateSession(any()))
        .thenAnswer(
            call -> {
              var realm = call.<RealmContext>getArgument(0);
              if (realm.getRealmIdentifier().equals("broken")) {
                throw new AssertionError("broken");
              }
              return polaris.context().getMetaStore();
            });

    timer.sweepAll();

    assertThat(delegation.status().failures()).isEqualTo(1);
    assertThat(delegation.status().sweeps()).isEqualTo(1);
  }
}
