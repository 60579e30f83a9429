package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.time.Instant;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * What this server knows of the TASK rows of one realm, so that rows need not be read again in every sweep. It holds a
 * few words per row and forgets rows that are gone. Nothing is lost with it: the rows say the same. Safe for any thread.
 */
final class Ledger {
  /** Rows dropped through this server whose hand-over did not succeed at once; more wait for the minimal age instead. */
  private static final int MAX_OWN = 10_000;

  enum Kind {
    OURS,
    FOREIGN,
    UNUSABLE
  }

  /**
   * @param since when the row was written
   * @param lookAgain before that the row need not be read
   * @param failures publishes of it that failed in a row
   */
  private record Known(Kind kind, Instant since, Instant lookAgain, int failures) {}

  private record Own(String requestedBy, Instant since) {}

  private final Clock clock;
  private final Map<Long, Known> known = new ConcurrentHashMap<>();
  private final Map<Long, Own> own = new ConcurrentHashMap<>();
  private final Set<Long> underWay = ConcurrentHashMap.newKeySet();

  Ledger(Clock clock) {
    this.clock = clock;
  }

  /** Marks a row as being handed over; false if it is already. */
  boolean begin(long id) {
    return underWay.add(id);
  }

  void end(long id) {
    underWay.remove(id);
  }

  /** Remembers who dropped what through this server, for a later sweep. */
  void remember(long id, String requestedBy) {
    if (own.size() < MAX_OWN) {
      own.putIfAbsent(id, new Own(requestedBy, clock.instant()));
    }
  }

  /** Whether the row comes from a drop through this server, so that no other server is at it. */
  boolean isOwn(long id) {
    return own.containsKey(id);
  }

  /** Who dropped the table, null if that is not known any more. */
  String requestedBy(long id) {
    Own remembered = own.get(id);
    return remembered == null ? null : remembered.requestedBy;
  }

  /** When a row of ours was written, if it is known to be one. */
  Optional<Instant> oursSince(long id) {
    Known row = known.get(id);
    return row != null && row.kind == Kind.OURS ? Optional.of(row.since) : Optional.empty();
  }

  /** Whether the row was looked at lately and is of no use. */
  boolean mayBeSkipped(long id) {
    Known row = known.get(id);
    return row != null && row.kind != Kind.OURS && clock.instant().isBefore(row.lookAgain);
  }

  void ours(long id, Instant since) {
    known.compute(id, (key, old) -> new Known(Kind.OURS, since, Instant.MIN, old == null ? 0 : old.failures));
  }

  void notOurs(long id, Kind kind, Instant since, Instant lookAgain) {
    known.put(id, new Known(kind, since, lookAgain, 0));
  }

  void failed(long id) {
    known.computeIfPresent(id, (key, old) -> new Known(old.kind, old.since, old.lookAgain, old.failures + 1));
  }

  void gone(long id) {
    known.remove(id);
    own.remove(id);
  }

  /** The ids that are worth a listing's comparison; ids that come later are not in it. */
  Set<Long> snapshot() {
    Set<Long> ids = new HashSet<>(known.keySet());
    ids.addAll(own.keySet());
    return ids;
  }

  /** Forgets the rows that were known before a listing and are not in it. */
  void forget(Set<Long> before, Collection<Long> listed) {
    before.removeAll(new HashSet<>(listed));
    before.forEach(this::gone);
  }

  /** The rows with the fewest failures first, so that rows which fail again and again keep nothing waiting. */
  List<Long> inOrder(List<Long> ids) {
    return ids.stream().sorted(Comparator.comparingInt(this::failures)).toList();
  }

  long count(Kind kind) {
    long counted = known.values().stream().filter(row -> row.kind == kind).count();
    return kind == Kind.OURS ? counted + own.keySet().stream().filter(id -> !known.containsKey(id)).count() : counted;
  }

  /** When the oldest row of ours was written. */
  Optional<Instant> oldest() {
    return Stream.concat(
            known.values().stream().filter(row -> row.kind == Kind.OURS).map(Known::since),
            own.entrySet().stream().filter(row -> !known.containsKey(row.getKey())).map(row -> row.getValue().since))
        .min(Comparator.naturalOrder());
  }

  private int failures(long id) {
    Known row = known.get(id);
    return row == null ? 0 : row.failures;
  }
}
