package dev.deckhand.polaris.outbox;

import java.time.Duration;

/**
 * How the rows of a realm are swept.
 *
 * @param minAge rows of other servers are left alone until they are this old. A stock server works on its rows without a
 *     lease: while one runs beside this one, set it above that server's longest purge
 * @param lease how long a leased row is hidden from other servers; see {@link #checkLease}
 * @param lookAgain after what time a row that was not ours, or not usable, is looked at again
 * @param parallel how many rows are handed over at once
 */
public record OutboxSettings(Duration minAge, Duration lease, Duration lookAgain, int parallel) {
  /** One minute, two minutes, one hour, sixteen. */
  public static final OutboxSettings DEFAULTS =
      new OutboxSettings(Duration.ofMinutes(1), Duration.ofMinutes(2), Duration.ofHours(1), 16);

  public OutboxSettings {
    if (parallel < 1) {
      throw new IllegalArgumentException("rows handed over at once: " + parallel + ", want 1 or more");
    }
    if (minAge.isNegative() || lease.compareTo(Duration.ofSeconds(1)) <= 0) {
      throw new IllegalArgumentException("the minimal age must not be negative, and the lease longer than a second");
    }
  }

  /**
   * Refuses a lease that may end while its row is being published. A lease is used until half of it is over, so that half
   * must be longer than a publish.
   */
  public void checkLease(Duration publishTimeout) {
    if (lease.dividedBy(2).compareTo(publishTimeout) <= 0) {
      throw new IllegalArgumentException(
          "deckhand.sweep.lease is " + lease + ", want more than twice deckhand.nats.publish-timeout (" + publishTimeout + ")");
    }
  }
}
