package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.polaris.core.entity.PolarisBaseEntity;
import org.apache.polaris.core.entity.PolarisEntityType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Rows as they should not be, and what must never leave the server. */
class PurgeJobMapperTest {
  private static final String TABLE =
      "{\"catalogId\":7,\"id\":42,\"parentId\":8,\"typeCode\":7,\"name\":\"orders\",\"entityVersion\":1,\"subTypeCode\":2,"
          + "\"createTimestamp\":1,\"dropTimestamp\":0,\"properties\":\"{}\",\"internalProperties\":"
          + "\"{\\\"parent-namespace\\\":\\\"sales\\\",\\\"metadata-location\\\":\\\"s3://lab/m.json\\\"}\"}";

  @Test
  void aRowWithoutMetadataLocationIsKeptWithTheReason() {
    Mapped mapped = map(row("1", TABLE.replace("metadata-location", "metadata-gone"), Map.of()));
    assertThat(mapped).isInstanceOf(Mapped.Unusable.class);
    assertThat(((Mapped.Unusable) mapped).problem()).contains("no metadata location");
  }

  @Test
  void aRowOfACatalogThatIsGoneIsKeptWithTheReason() {
    Mapped mapped = PurgeJobMapper.map("r", row("1", TABLE, Map.of()), null, id -> Optional.empty());
    assertThat(mapped).isInstanceOf(Mapped.Unusable.class);
    assertThat(((Mapped.Unusable) mapped).problem()).contains("catalog 7 is gone");
  }

  @ParameterizedTest
  @ValueSource(strings = {"not json", "[]", "7", "{\"secretAccessKey\":\"hunter2\""})
  void storageThatCannotBeReadIsSaidWithoutQuotingIt(String storage) {
    Mapped mapped = map(row("1", TABLE, Map.of("storage_configuration_info", storage)));
    assertThat(mapped).isInstanceOf(Mapped.Unusable.class);
    assertThat(((Mapped.Unusable) mapped).problem()).contains("storage configuration").doesNotContain("hunter2");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{", "7", "\"text\"", "[1]"})
  void dataThatIsNotAnEntityIsUnusable(String data) {
    assertThat(map(row("1", data, Map.of()))).isInstanceOf(Mapped.Unusable.class);
  }

  @Test
  void aRowWithoutDataIsUnusable() {
    assertThat(map(row("1", null, Map.of()))).isInstanceOf(Mapped.Unusable.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"2", "3", "99", "purge"})
  void otherTaskTypesAreNotOurs(String type) {
    assertThat(map(row(type, TABLE, Map.of()))).isInstanceOf(Mapped.Foreign.class);
  }

  @Test
  void aRowWithoutATypeIsNotOurs() {
    assertThat(map(row(null, TABLE, Map.of()))).isInstanceOf(Mapped.Foreign.class);
  }

  @Test
  void cleanUpsOfNamespacesAndGenericTablesAreNotOurs() {
    assertThat(map(row("1", TABLE.replace("\"typeCode\":7", "\"typeCode\":6"), Map.of())))
        .isInstanceOf(Mapped.Foreign.class);
    assertThat(map(row("1", TABLE.replace("\"subTypeCode\":2", "\"subTypeCode\":4"), Map.of())))
        .isInstanceOf(Mapped.Foreign.class);
    assertThat(map(row("1", "null", Map.of()))).isInstanceOf(Mapped.Foreign.class);
  }

  @Test
  void namesThatMakeNoSubjectAreUnusable() {
    Mapped mapped =
        PurgeJobMapper.map("r", row("1", TABLE, Map.of()), null, id -> Optional.of("ü".repeat(300)));
    assertThat(mapped).isInstanceOf(Mapped.Unusable.class);
    assertThat(((Mapped.Unusable) mapped).problem()).contains("1000 is the limit");
  }

  @Test
  void nothingThatCouldBeASecretLeavesTheServer() {
    Map<String, String> cleanup = new HashMap<>();
    cleanup.put("s3.secret-access-key", "hunter2");
    cleanup.put("connection_configuration_info", "{\"clientSecret\":\"hunter2\"}");
    cleanup.put(
        "storage_configuration_info",
        "{\"storageType\":\"S3\",\"secretAccessKey\":\"hunter2\",\"userARN\":\"hunter2\",\"region\":{\"a\":\"hunter2\"},"
            + "\"endpoint\":\"https://key:hunter2@s3.example:9000/path?sig=hunter2\",\"futureField\":\"hunter2\"}");

    String json = new String(ours(row("1", TABLE, cleanup)).json(), StandardCharsets.UTF_8);

    assertThat(json).doesNotContain("hunter2").contains("\"endpoint\":\"https://s3.example:9000/path\"");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"key:hunter2", "key:hun/ter2", "key:hun@ter2", "key:hun%2Fter2", "key:hun?ter2", "hunter2"})
  void aLocationWithALoginIsInNoJobAndInNoMessage(String login) {
    String location = "s3a://" + login + "@lab/t";
    for (PolarisBaseEntity row :
        List.of(
            row("1", TABLE.replace("s3://lab/m.json", location), Map.of()),
            row("1", TABLE, Map.of("storageLocation", location)),
            row("1", TABLE, Map.of("storageLocation", "s3://lab/t", "write.data.path", location)),
            row("1", TABLE, Map.of("storageLocation", "s3://lab/t", "write.metadata.path", location)))) {
      Mapped mapped = map(row);
      assertThat(mapped).isInstanceOf(Mapped.Unusable.class);
      assertThat(mapped.toString()).contains("may hold a login").doesNotContain("hun").doesNotContain("ter2");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"key:hun/ter2", "key:hun@ter2", "key:hun%2Fter2", "key:hun//ter2", "key:hun?ter2", "hunter2"})
  void aLoginOfAnEndpointIsInNoJob(String login) {
    String storage =
        "{\"storageType\":\"S3\",\"endpoint\":\"https://%1$s@one\",\"endpointInternal\":\"%1$s@two\",\"stsEndpoint\":\"https://%1$s@three/p\"}";
    PurgeJob job = ours(row("1", TABLE, Map.of("storage_configuration_info", storage.formatted(login))));
    for (String text : List.of(new String(job.json(), StandardCharsets.UTF_8), job.toString())) {
      assertThat(text).contains("S3").doesNotContain("hun").doesNotContain("ter2");
    }
  }

  @Test
  void propertiesOfTheTableThatAreNotJsonAreNotQuoted() {
    Mapped mapped = map(row("1", TABLE.replace("{\\\"parent", "{hunter2 \\\"parent"), Map.of()));
    assertThat(mapped).isInstanceOf(Mapped.Unusable.class);
    assertThat(mapped.toString()).contains("not the JSON that Polaris writes").doesNotContain("hunter2");
  }

  @Test
  void aTableWithoutUuidIsNamedByItsEntityId() {
    PurgeJob job = ours(row("1", TABLE, Map.of()));
    assertThat(job.tableUuid()).isNull();
    assertThat(job.entityId()).isEqualTo("42");
    assertThat(job.subject()).isEqualTo("jobs.purge.r.lake.sales.orders.42");
  }

  @Test
  void locationsAreTheTablesOwnAndNamedOnce() {
    PurgeJob job =
        ours(
            row(
                "1",
                TABLE,
                Map.of(
                    "storageLocation", "s3://lab/t",
                    "write.data.path", "s3://lab/d",
                    "write.metadata.path", "s3://lab/t")));
    assertThat(job.locations()).containsExactly("s3://lab/t", "s3://lab/d");
  }

  @Test
  void gcEnabledIsReadAsIcebergReadsIt() {
    assertThat(ours(row("1", TABLE, Map.of())).gcEnabled()).isNull();
    assertThat(ours(row("1", TABLE, Map.of("gc.enabled", "FALSE"))).gcEnabled()).isFalse();
    assertThat(ours(row("1", TABLE, Map.of("gc.enabled", "no"))).gcEnabled()).isFalse();
    assertThat(ours(row("1", TABLE, Map.of("gc.enabled", "true"))).gcEnabled()).isTrue();
  }

  @Test
  void theTimeIsThatOfTheDropWhereItIsKnown() {
    assertThat(ours(row("1", TABLE, Map.of())).requestedAt()).isEqualTo(Instant.ofEpochMilli(1000));
    assertThat(ours(row("1", TABLE.replace("\"dropTimestamp\":0", "\"dropTimestamp\":5"), Map.of())).requestedAt())
        .isEqualTo(Instant.ofEpochMilli(5));
  }

  private static Mapped map(PolarisBaseEntity row) {
    return PurgeJobMapper.map("r", row, null, id -> Optional.of("lake"));
  }

  private static PurgeJob ours(PolarisBaseEntity row) {
    Mapped mapped = map(row);
    assertThat(mapped).isInstanceOf(Mapped.Ours.class);
    return ((Mapped.Ours) mapped).job();
  }

  private static PolarisBaseEntity row(String type, String data, Map<String, String> cleanup) {
    Map<String, String> properties = new HashMap<>();
    if (type != null) {
      properties.put("taskType", type);
    }
    if (data != null) {
      properties.put("data", data);
    }
    return new PolarisBaseEntity.Builder()
        .id(9)
        .typeCode(PolarisEntityType.TASK.getCode())
        .name("entityCleanup_42")
        .createTimestamp(1000)
        .propertiesAsMap(properties)
        .internalPropertiesAsMap(cleanup)
        .build();
  }
}
