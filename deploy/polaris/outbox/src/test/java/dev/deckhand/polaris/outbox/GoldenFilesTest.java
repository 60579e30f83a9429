package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.polaris.core.entity.AsyncTaskType;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisEntitySubType;
import org.apache.polaris.core.entity.TaskEntity;
import org.apache.polaris.core.entity.table.IcebergTableLikeEntity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Java and Go are held to the same bytes. */
class GoldenFilesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path GOLDEN = Path.of(System.getProperty("jobs.testdata"));
  private static final Path RECORDED = Path.of("src", "test", "resources", "recorded");
  private static final long TASK = 8126405347123456789L;

  static Stream<Path> goldenFiles() throws IOException {
    return Files.list(GOLDEN).filter(GoldenFilesTest::canBeARow).sorted();
  }

  static List<RecordedRows.Recorded> recordedRows() throws IOException {
    return RecordedRows.all();
  }

  /** Other kinds come from other publishers. */
  private static boolean canBeARow(Path file) {
    try {
      return file.toString().endsWith(".json")
          && List.of(PurgeJob.PURGE, PurgeJob.PURGE_VIEW).contains(JSON.readTree(file.toFile()).get("kind").asText());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void thereAreGoldenFiles() throws IOException {
    assertThat(goldenFiles()).hasSizeGreaterThanOrEqualTo(6);
  }

  /** A row has no time of its own to wait for, no dry run and no settings, and its id comes from Polaris. */
  @ParameterizedTest
  @MethodSource("goldenFiles")
  void aRowWithTheSameContentMakesTheSameBytes(Path file) throws IOException {
    String golden = Files.readString(file);
    JsonNode job = JSON.readTree(golden);
    String id = job.get("realm").asText() + "." + TASK;
    String expected =
        golden
            .replace("\"id\":\"" + job.get("id").asText() + "\"", "\"id\":\"" + id + "\"")
            .replaceFirst(",\"not_before\":.*}$", "}");

    PurgeJob made = map(job.get("realm").asText(), row(job), job.path("requested_by").textValue(), job);

    assertThat(new String(made.json(), StandardCharsets.UTF_8)).isEqualTo(expected);
    assertThat(made.subject()).isEqualTo(Files.readString(Path.of(file.toString().replace(".json", ".subject"))));
  }

  /** What a real server's rows become. The Go tests read these files too. */
  @ParameterizedTest
  @MethodSource("recordedRows")
  void aRecordedRowMakesTheBytesBesideIt(RecordedRows.Recorded recorded) throws IOException {
    Mapped mapped =
        PurgeJobMapper.map(recorded.realm(), recorded.row(), "root", id -> Optional.of(recorded.catalog()));
    assertThat(mapped).isInstanceOf(Mapped.Ours.class);
    PurgeJob job = ((Mapped.Ours) mapped).job();
    Path body = RECORDED.resolve(recorded.slug() + ".json");
    Path subject = RECORDED.resolve(recorded.slug() + ".subject");
    if (Boolean.getBoolean("golden.update")) {
      Files.createDirectories(RECORDED);
      Files.write(body, job.json());
      Files.writeString(subject, job.subject());
    }

    assertThat(new String(job.json(), StandardCharsets.UTF_8)).isEqualTo(Files.readString(body));
    assertThat(job.subject()).isEqualTo(Files.readString(subject));
    assertThat(Files.readString(body)).doesNotContain("do-not-send", "allowedLocations");
  }

  private static PurgeJob map(String realm, PolarisBaseEntity row, String requestedBy, JsonNode job) {
    Mapped mapped = PurgeJobMapper.map(realm, row, requestedBy, id -> Optional.of(job.get("catalog").asText()));
    assertThat(mapped).isInstanceOf(Mapped.Ours.class);
    return ((Mapped.Ours) mapped).job();
  }

  /** The TASK row that Polaris would have written for the table of this job. */
  private static PolarisBaseEntity row(JsonNode job) {
    List<String> levels = new ArrayList<>();
    job.get("namespace").forEach(level -> levels.add(level.asText()));
    Map<String, String> internal = new HashMap<>();
    Map<String, String> cleanup = new HashMap<>(Map.of("aws.secret", "do-not-send"));
    if (job.has("table_uuid")) {
      internal.put(IcebergTableLikeEntity.TABLE_UUID, job.get("table_uuid").asText());
    }
    if (job.has("locations")) {
      cleanup.put("storageLocation", job.get("locations").get(0).asText());
      cleanup.put("write.data.path", job.get("locations").get(1).asText());
    }
    if (job.has("gc_enabled")) {
      cleanup.put("gc.enabled", job.get("gc_enabled").asText());
    }
    if (job.has("storage")) {
      cleanup.put("storage_configuration_info", storage(job.get("storage")));
    }
    boolean view = job.get("kind").asText().equals("purge-view");
    PolarisBaseEntity dropped =
        new IcebergTableLikeEntity.Builder(
                view ? PolarisEntitySubType.ICEBERG_VIEW : PolarisEntitySubType.ICEBERG_TABLE,
                TableIdentifier.of(Namespace.of(levels.toArray(new String[0])), job.get("table").asText()),
                Map.of(),
                internal,
                job.get("metadata_location").asText())
            .setId(job.path("entity_id").asLong(1))
            .setCatalogId(7)
            .build();
    long created = job.has("requested_at") ? Instant.parse(job.get("requested_at").asText()).toEpochMilli() : 0;
    return new TaskEntity.Builder()
        .setId(TASK)
        .setName("entityCleanup_1")
        .setCreateTimestamp(created)
        .withTaskType(AsyncTaskType.ENTITY_CLEANUP_SCHEDULER)
        .withData(dropped)
        .setInternalProperties(cleanup)
        .build();
  }

  private static String storage(JsonNode job) {
    var polaris = JSON.createObjectNode().put("@type", "AwsStorageConfigurationInfo").put("secretAccessKey", "do-not-send");
    Map.of(
            "type", "storageType",
            "region", "region",
            "endpoint", "endpoint",
            "endpoint_internal", "endpointInternal",
            "sts_endpoint", "stsEndpoint",
            "role_arn", "roleARN",
            "external_id", "externalId",
            "tenant_id", "tenantId",
            "gcp_service_account", "gcpServiceAccount")
        .forEach((ours, theirs) -> polaris.set(theirs, job.get(ours)));
    polaris.put("stsUnavailable", job.get("sts_unavailable").asBoolean());
    polaris.put("pathStyleAccess", job.get("path_style_access").asBoolean());
    return polaris.toString();
  }
}
