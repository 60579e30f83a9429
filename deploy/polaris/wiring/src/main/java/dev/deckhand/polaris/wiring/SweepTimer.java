package dev.deckhand.polaris.wiring;

import dev.deckhand.polaris.outbox.Outbox;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.polaris.core.PolarisCallContext;
import org.apache.polaris.core.config.RealmConfigurationSource;
import org.apache.polaris.core.context.RealmContext;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.apache.polaris.service.context.RealmContextConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sweeps every realm at an interval, and whenever NATS is there again. One thread, so never two sweeps at once. */
@ApplicationScoped
public class SweepTimer {
  private static final Logger LOG = LoggerFactory.getLogger(SweepTimer.class);
  private static final String DROP_WITH_PURGE = "DROP_WITH_PURGE_ENABLED";

  private final DeckhandConfig config;
  private final Delegation delegation;
  private final MetaStoreManagerFactory metaStores;
  private final RealmConfigurationSource realmConfig;
  private final RealmContextConfiguration realms;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().name("deckhand-sweep").daemon().factory());

  @Inject
  public SweepTimer(
      DeckhandConfig config,
      Delegation delegation,
      MetaStoreManagerFactory metaStores,
      RealmConfigurationSource realmConfig,
      RealmContextConfiguration realms) {
    this.config = config;
    this.delegation = delegation;
    this.metaStores = metaStores;
    this.realmConfig = realmConfig;
    this.realms = realms;
  }

  void start(@Observes StartupEvent event) {
    LOG.info(startLine());
    if (!delegation.enabled()) {
      return;
    }
    delegation.whenConnected(this::sweepSoon);
    long interval = config.sweep().interval().toMillis();
    timer.scheduleWithFixedDelay(this::sweepAll, 0, interval, TimeUnit.MILLISECONDS);
  }

  void stop(@Observes ShutdownEvent event) {
    timer.shutdownNow();
  }

  /** What is active, in one line. */
  String startLine() {
    return delegation.enabled()
        ? "Deckhand is active: purges of the realms " + realms.realms() + " go to NATS, sweeps every "
            + config.sweep().interval() + dropsRefused()
        : "Deckhand is switched off (deckhand.purge.enabled=false); Polaris purges by itself";
  }

  /** Polaris refuses DROP ... PURGE by default, and people then look for the fault here. */
  private String dropsRefused() {
    var refused = realms.realms().stream().filter(realm -> !purgesAllowed(() -> realm)).toList();
    return refused.isEmpty()
        ? ""
        : "; DROP_WITH_PURGE_ENABLED is off in " + refused + ", so that Polaris refuses DROP ... PURGE there"
            + " (polaris.features.\"DROP_WITH_PURGE_ENABLED\"=true switches it on, a catalog may too)";
  }

  private boolean purgesAllowed(RealmContext realm) {
    Object set = realmConfig.getConfigValue(realm, DROP_WITH_PURGE);
    return set != null && Boolean.parseBoolean(set.toString());
  }

  private void sweepSoon() {
    try {
      timer.execute(this::sweepAll);
    } catch (RejectedExecutionException e) {
      LOG.debug("the server is stopping; no sweep");
    }
  }

  void sweepAll() {
    try {
      sweepRealms();
    } catch (Throwable e) {
      // what leaves a timer's task ends the timer for good, without a word
      delegation.status().failed("sweep: " + e);
      LOG.warn("a sweep failed, the next one tries again: {}", e.toString());
    }
  }

  private void sweepRealms() {
    for (String realm : realms.realms()) {
      try {
        sweep(() -> realm);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } catch (Throwable e) {
        // one realm's trouble must not keep the others waiting
        delegation.status().failed("sweep of realm " + realm + ": " + e);
        LOG.warn("sweep of realm {} failed, the next one tries again: {}", realm, e.toString());
      }
    }
  }

  private void sweep(RealmContext realm) throws InterruptedException {
    PolarisCallContext context =
        new PolarisCallContext(realm, metaStores.getOrCreateSession(realm), realmConfig);
    Outbox.Sweep done = delegation.sweep(context).orElse(new Outbox.Sweep(0, 0, 0));
    if (done.handedOver() > 0 || done.failed() > 0) {
      LOG.info(
          "sweep of realm {}: {} task rows, {} handed over, {} failed",
          realm.getRealmIdentifier(),
          done.rows(),
          done.handedOver(),
          done.failed());
    }
  }
}
