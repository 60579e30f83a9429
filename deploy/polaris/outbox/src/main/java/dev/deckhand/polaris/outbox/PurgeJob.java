package dev.deckhand.polaris.outbox;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Objects;

/**
 * A job as jobs/CONTRACT.md describes it, with the fields that a Polaris server can know. Null stands for absent.
 *
 * @param id {@code <realm>.<task id>}
 * @param kind {@code purge} or {@code purge-view}
 * @param namespace levels, outermost first
 * @param tableUuid the table's UUID, or null where the row has none
 * @param entityId Polaris' id of the dropped entity, only where the UUID is not known
 * @param locations where the table keeps files; empty for absent
 * @param gcEnabled the table property gc.enabled, null where it is not set
 * @param requestedBy who dropped the table, null where that is not known
 * @param requestedAt when, null where that is not known
 */
public record PurgeJob(
    String id,
    String kind,
    String realm,
    String catalog,
    List<String> namespace,
    String table,
    String tableUuid,
    String entityId,
    String metadataLocation,
    List<String> locations,
    Boolean gcEnabled,
    StorageFields storage,
    String requestedBy,
    Instant requestedAt) {

  static final String PURGE = "purge";
  static final String PURGE_VIEW = "purge-view";
  static final int VERSION = 1;

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

  public PurgeJob {
    for (String required : new String[] {id, kind, realm, catalog, table, metadataLocation}) {
      Objects.requireNonNull(required);
    }
    Objects.requireNonNull(tableUuid != null ? tableUuid : entityId);
    namespace = List.copyOf(namespace);
    locations = List.copyOf(locations);
  }

  /** The body of the message, in canonical form. */
  public byte[] json() {
    return new CanonicalJson()
        .put("v", VERSION)
        .put("id", id)
        .put("kind", kind)
        .put("realm", realm)
        .put("catalog", catalog)
        .put("namespace", namespace)
        .put("table", table)
        .put("table_uuid", tableUuid)
        .put("entity_id", entityId)
        .put("metadata_location", metadataLocation)
        .put("locations", locations)
        .put("gc_enabled", gcEnabled)
        .put("storage", storage == null ? null : storage.json())
        .put("requested_by", requestedBy)
        .put("requested_at", requestedAt == null ? null : TIME.format(requestedAt))
        .bytes();
  }

  /** The subject of the message. */
  public String subject() {
    return Subject.of(this);
  }
}
