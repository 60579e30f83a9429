package dev.deckhand.polaris.wiring;

import dev.deckhand.polaris.outbox.MetaStore;
import dev.deckhand.polaris.outbox.NatsLink;
import dev.deckhand.polaris.outbox.NatsSettings;
import dev.deckhand.polaris.outbox.Outbox;
import dev.deckhand.polaris.outbox.OutboxSettings;
import dev.deckhand.polaris.outbox.OutboxStatus;
import jakarta.annotation.PostConstruct;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import org.apache.polaris.core.PolarisCallContext;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The outboxes of all realms of this server, with the connection and the threads that they share. */
@ApplicationScoped
public class Delegation {
  private static final Logger LOG = LoggerFactory.getLogger(Delegation.class);
  private static final Duration DRAIN = Duration.ofSeconds(5);

  private final DeckhandConfig config;
  private final MetaStoreManagerFactory metaStores;
  private final Clock clock = Clock.systemUTC();
  private final OutboxStatus status = new OutboxStatus(clock);
  private final String owner = "deckhand-" + UUID.randomUUID();
  private final Map<String, Outbox> outboxes = new ConcurrentHashMap<>();
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private volatile Runnable onConnected = () -> {};
  private Semaphore inFlight;
  private OutboxSettings settings;
  private NatsLink nats;

  @Inject
  public Delegation(DeckhandConfig config, MetaStoreManagerFactory metaStores) {
    this.config = config;
    this.metaStores = metaStores;
  }

  /** Starts to connect to NATS. Settings that make no sense end the start of the server here. */
  @PostConstruct
  void start() {
    if (!enabled()) {
      return;
    }
    ConfigCheck.check(config);
    DeckhandConfig.Sweep sweep = config.sweep();
    settings = new OutboxSettings(sweep.minAge(), sweep.lease(), sweep.lookAgain(), sweep.parallel());
    settings.checkLease(config.nats().publishTimeout());
    inFlight = new Semaphore(config.purge().maxInFlight());
    nats = new NatsLink(natsSettings(), () -> onConnected.run());
  }

  /** Whether purges go to Deckhand at all. */
  public boolean enabled() {
    return config.purge().enabled();
  }

  /** Whom to tell when NATS is there again. */
  void whenConnected(Runnable told) {
    onConnected = told;
  }

  /** Hands over a fresh row on another thread. Never blocks, and never queues in memory: the row is the queue. */
  void handOver(PolarisCallContext context, long taskId, String requestedBy) {
    Outbox outbox = outbox(context.getRealmContext().getRealmIdentifier());
    if (!nats.ready() || !inFlight.tryAcquire()) {
      outbox.remember(taskId, requestedBy);
      return;
    }
    try {
      threads.execute(
          () -> {
            try {
              outbox.handOver(store(context), taskId, requestedBy);
            } catch (Throwable e) {
              // no one waits for this thread, and what leaves it is seen by no one
              leave(outbox, taskId, requestedBy, e);
            } finally {
              inFlight.release();
            }
          });
    } catch (Throwable e) {
      inFlight.release();
      leave(outbox, taskId, requestedBy, e);
    }
  }

  private void leave(Outbox outbox, long taskId, String requestedBy, Throwable e) {
    outbox.remember(taskId, requestedBy);
    status.failed("task row " + taskId + ": " + e);
    LOG.warn("task {} was not handed over, the next sweep tries again: {}", taskId, e.toString());
  }

  /** One sweep of one realm; empty if one is under way. */
  Optional<Outbox.Sweep> sweep(PolarisCallContext context) throws InterruptedException {
    return outbox(context.getRealmContext().getRealmIdentifier()).sweep(store(context), threads);
  }

  boolean connected() {
    return nats != null && nats.connected();
  }

  Optional<String> natsProblem() {
    return nats == null ? Optional.empty() : nats.problem();
  }

  OutboxStatus status() {
    return status;
  }

  /** The sum over all realms. */
  long sum(ToLongFunction<Outbox> what) {
    return outboxes.values().stream().mapToLong(what).sum();
  }

  /** How old the oldest row is that waits; zero if none does. */
  Duration oldestAge() {
    return outboxes.values().stream()
        .flatMap(outbox -> outbox.oldest().stream())
        .min(Comparator.naturalOrder())
        .map(oldest -> Duration.between(oldest, Instant.now(clock)))
        .filter(age -> !age.isNegative())
        .orElse(Duration.ZERO);
  }

  @PreDestroy
  void stop() throws InterruptedException {
    threads.shutdown();
    threads.awaitTermination(DRAIN.toMillis(), TimeUnit.MILLISECONDS);
    if (nats != null) {
      nats.close();
    }
    threads.shutdownNow();
  }

  private Outbox outbox(String realm) {
    return outboxes.computeIfAbsent(realm, key -> new Outbox(settings, nats, status, owner, clock));
  }

  private MetaStore store(PolarisCallContext context) {
    return new MetaStore(context, metaStores.getOrCreateMetaStoreManager(context.getRealmContext()));
  }

  private NatsSettings natsSettings() {
    DeckhandConfig.Nats set = config.nats();
    return new NatsSettings(
        set.servers(),
        set.credentials().orElse(null),
        set.user().orElse(null),
        set.password().orElse(null),
        set.inboxPrefix().orElse(null),
        set.tls().ca().orElse(null),
        set.tls().certificate().orElse(null),
        set.tls().key().orElse(null),
        set.connectTimeout(),
        set.publishTimeout());
  }
}
