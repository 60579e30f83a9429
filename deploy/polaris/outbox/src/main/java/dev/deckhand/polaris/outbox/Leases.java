package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisTaskConstants;

/**
 * Leases single rows, so that two servers do not publish the same one. The lease is written where Polaris' own
 * {@code loadTasks} writes it, and with the same compare-and-swap on the row's version; that method itself leases rows of
 * every kind, rewrites them, and cannot be told where to go on.
 */
final class Leases {
  private final String owner;
  private final Duration time;
  private final Clock clock;

  /**
   * @param owner names this server among those of the database
   * @param time how long a lease hides a row from other servers
   */
  Leases(String owner, Duration time, Clock clock) {
    this.owner = owner;
    this.time = time;
    this.clock = clock;
  }

  /** The row as it is after leasing it; empty if another server has it or was faster. */
  Optional<PolarisBaseEntity> take(MetaStore store, PolarisBaseEntity row) {
    Map<String, String> properties = row.getPropertiesAsMap();
    String holder = properties.get(PolarisTaskConstants.LAST_ATTEMPT_EXECUTOR_ID);
    // a start in the future comes from a clock that was wrong, and must not hide the row for ever
    long age = Math.abs(clock.millis() - number(properties.get(PolarisTaskConstants.LAST_ATTEMPT_START_TIME)));
    if (owner.equals(holder) && age < time.toMillis() / 2) {
      return Optional.of(row);
    }
    if (holder != null && !owner.equals(holder) && age < time.toMillis()) {
      return Optional.empty();
    }
    long attempts = number(properties.get(PolarisTaskConstants.ATTEMPT_COUNT)) + 1;
    properties.put(PolarisTaskConstants.LAST_ATTEMPT_EXECUTOR_ID, owner);
    properties.put(PolarisTaskConstants.LAST_ATTEMPT_START_TIME, Long.toString(clock.millis()));
    properties.put(PolarisTaskConstants.ATTEMPT_COUNT, Long.toString(attempts));
    return store.replace(new PolarisBaseEntity.Builder(row).propertiesAsMap(properties).build());
  }

  private static long number(String text) {
    try {
      return text == null ? 0 : Long.parseLong(text);
    } catch (NumberFormatException e) {
      return 0;
    }
  }
}
