package dev.deckhand.polaris.outbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import org.apache.polaris.core.entity.PolarisBaseEntity;

/** TASK rows as a server 1.7.0 with PostgreSQL wrote them, column by column. */
final class RecordedRows {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * @param name what was dropped, a sentence
   * @param catalog its catalog's name, which is not in the row
   */
  record Recorded(String name, String realm, String catalog, PolarisBaseEntity row) {
    /** A name for files. */
    String slug() {
      return name.toLowerCase().replaceAll("[^a-z0-9]+", "-");
    }
  }

  private RecordedRows() {}

  static List<Recorded> all() throws IOException {
    List<Recorded> rows = new ArrayList<>();
    try (InputStream in = RecordedRows.class.getResourceAsStream("/task-rows.json")) {
      for (JsonNode entry : JSON.readTree(in)) {
        JsonNode row = entry.get("row");
        rows.add(
            new Recorded(
                entry.get("name").asText(),
                row.get("realm_id").asText(),
                entry.get("path").asText().split("/")[4],
                new PolarisBaseEntity.Builder()
                    .catalogId(row.get("catalog_id").asLong())
                    .id(row.get("id").asLong())
                    .parentId(row.get("parent_id").asLong())
                    .typeCode(row.get("type_code").asInt())
                    .subTypeCode(row.get("sub_type_code").asInt())
                    .name(row.get("name").asText())
                    .createTimestamp(row.get("create_timestamp").asLong())
                    .properties(row.get("properties").toString())
                    .internalProperties(row.get("internal_properties").toString())
                    .build()));
      }
    }
    return rows;
  }
}
