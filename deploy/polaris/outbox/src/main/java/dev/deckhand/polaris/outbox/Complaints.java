package dev.deckhand.polaris.outbox;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs each problem once, with the row and the fix, and not again in every sweep. The methods say whether they logged.
 * Safe for any thread.
 */
final class Complaints {
  private static final Logger LOG = LoggerFactory.getLogger(Complaints.class);
  private static final int MAX_ROWS = 100_000;

  private final Set<Long> rows =
      Collections.newSetFromMap(
          Collections.synchronizedMap(
              new LinkedHashMap<>() {
                @Override
                protected boolean removeEldestEntry(Map.Entry<Long, Boolean> eldest) {
                  return size() > MAX_ROWS;
                }
              }));
  private volatile PublishAnswer standing;

  /** A row that cannot be published; it is kept. */
  boolean unusable(String realm, long id, Mapped.Unusable row) {
    boolean once = rows.add(id);
    if (once) {
      LOG.warn("task row {} of realm {} is kept and not purged: {}; {}", id, realm, row.problem(), row.fix());
    }
    return once;
  }

  /** A row that is not a clean-up of a table or view; it is left alone. */
  boolean foreign(String realm, long id, Mapped.Foreign row) {
    boolean once = rows.add(id);
    if (once) {
      LOG.debug("task row {} of realm {} is not ours: {}", id, realm, row.what());
    }
    return once;
  }

  /** A publish that failed. One that fails for all rows alike is logged until a publish succeeds. */
  boolean unpublished(String realm, long id, Published published) {
    boolean once = published.answer().forAll() ? standing != published.answer() : rows.add(id);
    if (published.answer().forAll()) {
      standing = published.answer();
    }
    if (once) {
      LOG.warn(
          "task row {} of realm {} waits, the queue says {}: {}", id, realm, published.answer(), published.detail());
    }
    return once;
  }

  void published(long id) {
    standing = null;
    rows.remove(id);
  }
}
