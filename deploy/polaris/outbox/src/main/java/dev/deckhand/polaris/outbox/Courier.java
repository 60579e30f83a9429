package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.LongFunction;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Hands over single rows of one realm: reads, publishes, waits for the acknowledgement, and only then deletes. */
final class Courier {
  private static final Logger LOG = LoggerFactory.getLogger(Courier.class);

  private final JobPublisher publisher;
  private final Ledger ledger;
  private final OutboxStatus status;
  private final Duration lookAgain;
  private final Clock clock;
  private final Complaints complaints = new Complaints();

  Courier(JobPublisher publisher, Ledger ledger, OutboxStatus status, Duration lookAgain, Clock clock) {
    this.publisher = publisher;
    this.ledger = ledger;
    this.status = status;
    this.lookAgain = lookAgain;
    this.clock = clock;
  }

  /** Reads what a row is and enters it in the ledger. The job, if it is ours. */
  Optional<PurgeJob> read(
      MetaStore store, PolarisBaseEntity row, String requestedBy, LongFunction<Optional<String>> catalogName) {
    long id = row.getId();
    Instant since = Instant.ofEpochMilli(row.getCreateTimestamp());
    Mapped mapped = PurgeJobMapper.map(store.realm(), row, requestedBy, catalogName);
    if (mapped instanceof Mapped.Ours ours) {
      ledger.ours(id, since);
      return Optional.of(ours.job());
    }
    if (mapped instanceof Mapped.Unusable unusable) {
      ledger.notOurs(id, Ledger.Kind.UNUSABLE, since, clock.instant().plus(lookAgain));
      status.error("task row " + id + ": " + unusable.problem());
      complaints.unusable(store.realm(), id, unusable);
    } else if (mapped instanceof Mapped.Foreign foreign) {
      ledger.notOurs(id, Ledger.Kind.FOREIGN, since, clock.instant().plus(lookAgain));
      complaints.foreign(store.realm(), id, foreign);
    }
    return Optional.empty();
  }

  /** Publishes a row's job and deletes the row if the queue has it. */
  Published deliver(MetaStore store, PolarisBaseEntity row, PurgeJob job) {
    Published published = publisher.publish(job);
    status.answered(published);
    if (!published.answer().stored()) {
      ledger.failed(row.getId());
      complaints.unpublished(store.realm(), row.getId(), published);
      return published;
    }
    store.delete(row);
    ledger.gone(row.getId());
    complaints.published(row.getId());
    LOG.debug("task row {} handed over as {}: {}", row.getId(), job.subject(), published.answer());
    return published;
  }
}
