package dev.deckhand.polaris.outbox;

import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongFunction;
import java.util.stream.Stream;
import org.apache.polaris.core.entity.AsyncTaskType;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisEntitySubType;
import org.apache.polaris.core.entity.PolarisEntityType;
import org.apache.polaris.core.entity.PolarisTaskConstants;
import org.apache.polaris.core.entity.table.IcebergTableLikeEntity;
import org.apache.polaris.core.persistence.PolarisObjectMapperUtil;

/** Makes a job of a TASK row. The rows are described in Polaris' TableCleanupTaskHandler and LocalIcebergCatalog. */
public final class PurgeJobMapper {
  private static final String CLEANUP = Integer.toString(AsyncTaskType.ENTITY_CLEANUP_SCHEDULER.typeCode());
  private static final String STORAGE_CONFIGURATION = "storage_configuration_info";
  private static final String GC_ENABLED = "gc.enabled";
  private static final List<String> LOCATIONS =
      List.of(
          PolarisTaskConstants.STORAGE_LOCATION,
          IcebergTableLikeEntity.USER_SPECIFIED_WRITE_DATA_LOCATION_KEY,
          IcebergTableLikeEntity.USER_SPECIFIED_WRITE_METADATA_LOCATION_KEY);
  private static final String BY_HAND = "queue the purge with \"producer submit purge\" and delete the row";

  // without the exception's text, which quotes the row, table properties included
  private static final Mapped UNREADABLE =
      new Mapped.Unusable("the row is not the JSON that Polaris writes", BY_HAND);

  private PurgeJobMapper() {}

  /**
   * Reads a row.
   *
   * @param realm the realm that the row belongs to
   * @param row an entity of type TASK
   * @param requestedBy who dropped the table, null if that is not known
   * @param catalogName finds the name of a catalog by its id; the row has only the id
   */
  public static Mapped map(
      String realm, PolarisBaseEntity row, String requestedBy, LongFunction<Optional<String>> catalogName) {
    PolarisBaseEntity dropped;
    Map<String, String> cleanup;
    try {
      Map<String, String> properties = row.getPropertiesAsMap();
      String type = properties.get(PolarisTaskConstants.TASK_TYPE);
      if (!CLEANUP.equals(type)) {
        return new Mapped.Foreign("task type " + type);
      }
      String data = properties.get(PolarisTaskConstants.TASK_DATA);
      if (data == null) {
        return new Mapped.Unusable("the row names no dropped entity", "look at the row and delete it");
      }
      dropped = PolarisObjectMapperUtil.deserialize(data, PolarisBaseEntity.class);
      cleanup = row.getInternalPropertiesAsMap();
    } catch (RuntimeException e) {
      return UNREADABLE;
    }
    if (dropped == null || dropped.getType() != PolarisEntityType.TABLE_LIKE) {
      return new Mapped.Foreign("clean-up of a " + (dropped == null ? "null" : dropped.getType()));
    }
    boolean view = dropped.getSubType() == PolarisEntitySubType.ICEBERG_VIEW;
    if (!view && dropped.getSubType() != PolarisEntitySubType.ICEBERG_TABLE) {
      return new Mapped.Foreign("clean-up of a " + dropped.getSubType());
    }
    IcebergTableLikeEntity table;
    Map<String, String> internal;
    try {
      table = IcebergTableLikeEntity.of(dropped);
      internal = table.getInternalPropertiesAsMap();
    } catch (RuntimeException e) {
      return UNREADABLE;
    }
    try {
      return job(realm, row, requestedBy, catalogName, table, internal, cleanup, view);
    } catch (IllegalArgumentException e) {
      return new Mapped.Unusable(e.getMessage(), BY_HAND);
    }
  }

  private static Mapped job(
      String realm,
      PolarisBaseEntity row,
      String requestedBy,
      LongFunction<Optional<String>> catalogName,
      IcebergTableLikeEntity table,
      Map<String, String> internal,
      Map<String, String> cleanup,
      boolean view) {
    String metadata = table.getMetadataLocation();
    if (metadata == null || metadata.isEmpty()) {
      return new Mapped.Unusable(
          "the row has no metadata location, so that nothing says which files the table had",
          "delete the table's files by hand, then the row");
    }
    Set<String> locations = locations(cleanup, internal);
    if (Stream.concat(Stream.of(metadata), locations.stream()).anyMatch(StorageUrls::mayHoldLogin)) {
      // not the location itself, here or in a job
      return new Mapped.Unusable(
          "a location of the table may hold a login, and jobs are no place for one",
          "delete the table's files by hand, then the row, and change that password");
    }
    List<String> namespace = List.of(table.getParentNamespace().levels());
    if (namespace.isEmpty() || namespace.contains("")) {
      return new Mapped.Unusable("the row has no namespace", BY_HAND);
    }
    Optional<String> catalog = catalogName.apply(table.getCatalogId());
    if (catalog.isEmpty()) {
      return new Mapped.Unusable("the catalog " + table.getCatalogId() + " is gone, and only it has the name", BY_HAND);
    }
    String uuid = internal.get(IcebergTableLikeEntity.TABLE_UUID);
    String storage = cleanup.get(STORAGE_CONFIGURATION);
    String gc = cleanup.get(GC_ENABLED);
    PurgeJob job =
        new PurgeJob(
            realm + "." + row.getId(),
            view ? PurgeJob.PURGE_VIEW : PurgeJob.PURGE,
            realm,
            catalog.get(),
            namespace,
            table.getName(),
            uuid,
            // ids are random numbers of 63 bits: a string, since many JSON readers go through doubles
            uuid == null ? Long.toString(table.getId()) : null,
            metadata,
            List.copyOf(locations),
            gc == null ? null : Boolean.valueOf(gc),
            storage == null ? null : StorageFields.read(storage),
            requestedBy,
            requestedAt(table, row));
    job.subject(); // refuses names that make no subject
    return new Mapped.Ours(job);
  }

  // the table's own, never the catalog's: a job's locations bound what the worker may delete
  private static Set<String> locations(Map<String, String> cleanup, Map<String, String> internal) {
    Set<String> locations = new LinkedHashSet<>();
    for (String key : LOCATIONS) {
      String location = cleanup.getOrDefault(key, internal.get(key));
      if (location != null && !location.isEmpty()) {
        locations.add(location);
      }
    }
    return locations;
  }

  // releases up to 1.7 never set the drop time of the entity; the row is written right after the drop
  private static Instant requestedAt(PolarisBaseEntity dropped, PolarisBaseEntity row) {
    long millis = dropped.getDropTimestamp() > 0 ? dropped.getDropTimestamp() : row.getCreateTimestamp();
    return millis > 0 ? Instant.ofEpochMilli(millis) : null;
  }
}
