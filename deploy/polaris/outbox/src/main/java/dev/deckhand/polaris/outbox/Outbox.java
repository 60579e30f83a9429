package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongFunction;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The TASK rows of one realm as an outbox. Rows of drops through this server are handed over at once; a sweep hands over
 * what is left after NATS was away, a server died, or a stock server gave up. Safe for any thread.
 */
public final class Outbox {
  private static final Logger LOG = LoggerFactory.getLogger(Outbox.class);

  /**
   * What one sweep did.
   *
   * @param rows TASK rows that there were, of any kind
   * @param handedOver rows whose job the queue now has
   * @param failed publishes and metastore calls that failed
   */
  public record Sweep(int rows, int handedOver, int failed) {}

  private final OutboxSettings settings;
  private final NatsLink nats;
  private final OutboxStatus status;
  private final Clock clock;
  private final Ledger ledger;
  private final Courier courier;
  private final Leases leases;
  private final AtomicBoolean sweeping = new AtomicBoolean();

  /**
   * @param owner names this server among those of the database
   */
  public Outbox(OutboxSettings settings, NatsLink nats, OutboxStatus status, String owner, Clock clock) {
    this.settings = settings;
    this.nats = nats;
    this.status = status;
    this.clock = clock;
    this.ledger = new Ledger(clock);
    this.courier = new Courier(new JobPublisher(nats), ledger, status, settings.lookAgain(), clock);
    this.leases = new Leases(owner, settings.lease(), clock);
  }

  /** Leaves a fresh row to the next sweep, and keeps who dropped the table. */
  public void remember(long id, String requestedBy) {
    ledger.remember(id, requestedBy);
  }

  /** Hands over a fresh row; what fails is left to the next sweep. Never throws. True if the queue has the job. */
  public boolean handOver(MetaStore store, long id, String requestedBy) {
    if (!ledger.begin(id)) {
      return false;
    }
    try {
      ledger.remember(id, requestedBy);
      Optional<PolarisBaseEntity> row = store.task(id);
      if (row.isEmpty()) {
        ledger.gone(id);
        return false;
      }
      Optional<PurgeJob> job = courier.read(store, row.get(), requestedBy, store::catalogName);
      return job.isPresent() && courier.deliver(store, row.get(), job.get()).answer().stored();
    } catch (Throwable e) {
      failed(store, id, e);
      return false;
    } finally {
      ledger.end(id);
    }
  }

  /**
   * Looks at all rows of the realm and hands over those that are due, some at a time. While NATS is away, or may
   * not answer, it only counts them. Returns empty if a sweep of this realm is under way.
   *
   * @param threads run parts of it; this thread waits for them
   */
  public Optional<Sweep> sweep(MetaStore store, ExecutorService threads) throws InterruptedException {
    if (!sweeping.compareAndSet(false, true)) {
      return Optional.empty();
    }
    try {
      Set<Long> before = ledger.snapshot();
      List<Long> ids = store.taskIds();
      ledger.forget(before, ids);
      Round round = new Round(store, ledger.inOrder(ids));
      List<Callable<Void>> parts = new ArrayList<>();
      for (int i = 0; i < Math.min(settings.parallel(), ids.size()); i++) {
        parts.add(round);
      }
      for (Future<Void> part : threads.invokeAll(parts)) {
        round.ended(part);
      }
      if (round.silent.get() > 0 && round.handedOver.get() == 0 && nats.ready()) {
        nats.renew();
      }
      nats.renewIfDenied();
      status.swept();
      return Optional.of(new Sweep(ids.size(), round.handedOver.get(), round.failed.get()));
    } finally {
      sweeping.set(false);
    }
  }

  /** How many rows wait to be handed over, as far as this server has seen. */
  public long waiting() {
    return ledger.count(Ledger.Kind.OURS);
  }

  /** When the oldest of them was written. */
  public Optional<Instant> oldest() {
    return ledger.oldest();
  }

  /** How many TASK rows are somebody else's. */
  public long foreign() {
    return ledger.count(Ledger.Kind.FOREIGN);
  }

  /** How many rows cannot become a job and wait for a person. */
  public long unusable() {
    return ledger.count(Ledger.Kind.UNUSABLE);
  }

  private void failed(MetaStore store, long id, Throwable e) {
    status.failed("task row " + id + ": " + e);
    LOG.warn("task row {} of realm {} was not handed over, the next sweep tries again: {}", id, store.realm(), e.toString());
  }

  /** One sweep; several threads take ids out of it. */
  private final class Round implements Callable<Void> {
    private final MetaStore store;
    private final Queue<Long> ids;
    private final Map<Long, Optional<String>> catalogs = new ConcurrentHashMap<>();
    private final AtomicBoolean stopped = new AtomicBoolean();
    // publishes without an answer
    private final AtomicInteger silent = new AtomicInteger();
    // publishes that failed since the last that succeeded: where all fail, waiting for each takes too long
    private final AtomicInteger inARow = new AtomicInteger();
    private final AtomicInteger handedOver = new AtomicInteger();
    private final AtomicInteger failed = new AtomicInteger();

    Round(MetaStore store, List<Long> ids) {
      this.store = store;
      this.ids = new ConcurrentLinkedQueue<>(ids);
    }

    @Override
    public Void call() {
      for (Long id = ids.poll(); id != null && !Thread.currentThread().isInterrupted(); id = ids.poll()) {
        if (!isWorthReading(id) || !ledger.begin(id)) {
          continue;
        }
        try {
          look(id);
        } catch (Throwable e) {
          // one row's trouble, also a class that is missing, must not end the sweep of the others unseen
          failed.incrementAndGet();
          Outbox.this.failed(store, id, e);
        } finally {
          ledger.end(id);
        }
      }
      return null;
    }

    /** Tells of a part that ended before its time; the rows that it left are in the next sweep. */
    void ended(Future<Void> part) throws InterruptedException {
      try {
        part.get();
      } catch (ExecutionException e) {
        failed.incrementAndGet();
        status.failed("sweep: " + e.getCause());
        LOG.warn("a part of the sweep of realm {} ended early, the next sweep goes on: {}", store.realm(), e.getCause().toString());
      }
    }

    private boolean isWorthReading(long id) {
      return !ledger.mayBeSkipped(id) && ledger.oursSince(id).map(since -> isDue(id, since)).orElse(true);
    }

    private boolean isDue(long id, Instant since) {
      boolean possible = nats.ready() && !stopped.get() && inARow.get() < settings.parallel();
      return possible && (ledger.isOwn(id) || !clock.instant().isBefore(since.plus(settings.minAge())));
    }

    private void look(long id) {
      Optional<PolarisBaseEntity> row = store.task(id);
      if (row.isEmpty()) {
        ledger.gone(id);
        return;
      }
      LongFunction<Optional<String>> names = catalog -> catalogs.computeIfAbsent(catalog, store::catalogName);
      Optional<PurgeJob> job = courier.read(store, row.get(), ledger.requestedBy(id), names);
      if (job.isEmpty() || !isDue(id, Instant.ofEpochMilli(row.get().getCreateTimestamp()))) {
        return;
      }
      Optional<PolarisBaseEntity> leased = leases.take(store, row.get());
      if (leased.isEmpty()) {
        return; // another server is at it
      }
      Published published = courier.deliver(store, leased.get(), job.get());
      PublishAnswer answer = published.answer();
      if (answer.stored()) {
        inARow.set(0);
        handedOver.incrementAndGet();
        return;
      }
      failed.incrementAndGet();
      inARow.incrementAndGet();
      if (answer == PublishAnswer.UNKNOWN && !published.equals(Published.UNDECIDED)) {
        silent.incrementAndGet();
      }
      if (answer.forAll()) {
        stopped.set(true);
      }
    }
  }
}
