package dev.deckhand.polaris.outbox;

import java.time.Clock;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.polaris.core.PolarisCallContext;
import org.apache.polaris.core.PolarisDefaultDiagServiceImpl;
import org.apache.polaris.core.PolarisDiagnostics;
import org.apache.polaris.core.entity.AsyncTaskType;
import org.apache.polaris.core.entity.NamespaceEntity;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisEntityCore;
import org.apache.polaris.core.entity.PolarisEntitySubType;
import org.apache.polaris.core.entity.PolarisEntityType;
import org.apache.polaris.core.entity.TaskEntity;
import org.apache.polaris.core.entity.table.IcebergTableLikeEntity;
import org.apache.polaris.core.persistence.AtomicOperationMetaStoreManager;
import org.apache.polaris.core.persistence.PolarisMetaStoreManager;
import org.apache.polaris.core.persistence.PrincipalSecretsGenerator;
import org.apache.polaris.core.persistence.transactional.TransactionalMetaStoreManagerImpl;
import org.apache.polaris.core.persistence.transactional.TreeMapMetaStore;
import org.apache.polaris.core.persistence.transactional.TreeMapTransactionalPersistenceImpl;

/** Polaris' own metastore, in memory, with one catalog "lake" and one namespace "sales". */
public final class RealMetaStore {
  /** The two managers that Polaris has: of the in-memory metastore, and of the one in a database. */
  public enum Kind {
    TRANSACTIONAL,
    ATOMIC
  }

  public static final String REALM = "realm-1";
  static final String STORAGE =
      "{\"@type\":\"AwsStorageConfigurationInfo\",\"storageType\":\"S3\",\"region\":\"us-west-2\","
          + "\"roleARN\":\"arn:aws:iam::123456789012:role/polaris\",\"allowedLocations\":[\"s3://lab/wh\"],"
          + "\"userARN\":\"arn:aws:iam::123456789012:user/secret\"}";

  private final PolarisMetaStoreManager manager;
  private final PolarisCallContext context;
  private final PolarisBaseEntity catalog;
  private final PolarisBaseEntity namespace;

  public RealMetaStore(Kind kind) {
    PolarisDiagnostics diagnostics = new PolarisDefaultDiagServiceImpl();
    Clock clock = Clock.systemUTC();
    manager =
        kind == Kind.TRANSACTIONAL
            ? new TransactionalMetaStoreManagerImpl(clock, diagnostics)
            : new AtomicOperationMetaStoreManager(clock, diagnostics);
    var rows =
        new TreeMapTransactionalPersistenceImpl(
            diagnostics, new TreeMapMetaStore(diagnostics), null, PrincipalSecretsGenerator.RANDOM_SECRETS);
    context = new PolarisCallContext(() -> REALM, rows, (realm, key) -> null);
    must(manager.bootstrapPolarisService(context).isSuccess());
    var made =
        manager.createCatalog(
            context,
            new PolarisBaseEntity.Builder()
                .id(newId())
                .typeCode(PolarisEntityType.CATALOG.getCode())
                .subTypeCode(PolarisEntitySubType.NULL_SUBTYPE.getCode())
                .name("lake")
                .build(),
            List.of());
    must(made.isSuccess());
    catalog = made.getCatalog();
    namespace =
        manager
            .createEntityIfNotExists(
                context,
                List.of(catalog),
                new NamespaceEntity.Builder(Namespace.of("sales"))
                    .setCatalogId(catalog.getId())
                    .setParentId(catalog.getId())
                    .setId(newId())
                    .setCreateTimestamp(System.currentTimeMillis())
                    .build())
            .getEntity();
  }

  public MetaStore store() {
    return new MetaStore(context, manager);
  }

  public PolarisMetaStoreManager manager() {
    return manager;
  }

  public PolarisCallContext context() {
    return context;
  }

  /** Creates a table and drops it as LocalIcebergCatalog does for DROP ... PURGE; the id of the TASK row. */
  public long dropWithPurge(String name, String uuid) {
    return dropWithPurge(name, uuid, Map.of("storage_configuration_info", STORAGE));
  }

  /** The same with these clean-up properties. */
  public long dropWithPurge(String name, String uuid, Map<String, String> cleanup) {
    return drop(PolarisEntitySubType.ICEBERG_TABLE, name, Map.of(IcebergTableLikeEntity.TABLE_UUID, uuid), cleanup);
  }

  /** Creates a view and drops it; the id of the TASK row. */
  public long dropView(String name) {
    return drop(PolarisEntitySubType.ICEBERG_VIEW, name, Map.of(), Map.of("storage_configuration_info", STORAGE));
  }

  /** Rows as the built-in executor leaves them: sub-tasks that name manifests. They are none of ours. */
  public void addForeignRows(int count) {
    for (int i = 0; i < count; i++) {
      must(
          manager
              .createEntityIfNotExists(
                  context,
                  null,
                  new TaskEntity.Builder()
                      .setId(newId())
                      .setName("manifestCleanup_" + i)
                      .setCreateTimestamp(1)
                      .withTaskType(AsyncTaskType.MANIFEST_FILE_CLEANUP)
                      .withData(Map.of("manifestFileData", "AAAA"))
                      .build())
              .isSuccess());
    }
  }

  /** Writes a TASK row with these properties, whatever they are; its id. */
  public long addRow(String name, Map<String, String> properties, Map<String, String> internal) {
    var row =
        new PolarisBaseEntity.Builder()
            .id(newId())
            .typeCode(PolarisEntityType.TASK.getCode())
            .subTypeCode(PolarisEntitySubType.NULL_SUBTYPE.getCode())
            .name(name)
            .createTimestamp(System.currentTimeMillis())
            .propertiesAsMap(properties)
            .internalPropertiesAsMap(internal)
            .build();
    must(manager.createEntityIfNotExists(context, null, row).isSuccess());
    return row.getId();
  }

  /** The TASK row of that id, or null. */
  public PolarisBaseEntity taskRow(long id) {
    return manager.loadEntity(context, 0L, id, PolarisEntityType.TASK).getEntity();
  }

  /** All TASK rows. */
  public List<PolarisBaseEntity> taskRows() {
    return manager.listFullEntitiesAll(context, null, PolarisEntityType.TASK, PolarisEntitySubType.ANY_SUBTYPE);
  }

  private long drop(
      PolarisEntitySubType type, String name, Map<String, String> internal, Map<String, String> cleanup) {
    String location = "s3://lab/wh/sales/" + name;
    PolarisBaseEntity made =
        manager
            .createEntityIfNotExists(
                context,
                path(),
                new IcebergTableLikeEntity.Builder(
                        type,
                        TableIdentifier.of(Namespace.of("sales"), name),
                        Map.of(),
                        internal,
                        location + "/metadata/00003-x.metadata.json")
                    .setCatalogId(catalog.getId())
                    .setParentId(namespace.getId())
                    .setId(newId())
                    .setCreateTimestamp(System.currentTimeMillis())
                    .build())
            .getEntity();
    Map<String, String> properties = new HashMap<>(cleanup);
    properties.put("storageLocation", location);
    var dropped = manager.dropEntityIfExists(context, path(), made, properties, true);
    must(dropped.isSuccess());
    return dropped.getCleanupTaskId();
  }

  private List<PolarisEntityCore> path() {
    return List.of(catalog, namespace);
  }

  private long newId() {
    return manager.generateNewEntityId(context).getId();
  }

  private static void must(boolean done) {
    if (!done) {
      throw new IllegalStateException("the metastore refused");
    }
  }
}
