package dev.deckhand.polaris.outbox;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/**
 * What may leave the server of a catalog's storage configuration. The list is closed: a field that a later Polaris adds,
 * a secret perhaps, stays where it is. Null, and false, stand for absent.
 */
public record StorageFields(
    String type,
    String region,
    String endpoint,
    String endpointInternal,
    String stsEndpoint,
    boolean stsUnavailable,
    boolean pathStyleAccess,
    String roleArn,
    String externalId,
    String tenantId,
    String gcpServiceAccount) {

  private static final ObjectMapper MAPPER = new ObjectMapper();

  /**
   * Reads {@code storage_configuration_info} of a TASK row.
   *
   * @throws IllegalArgumentException if it is not a JSON object; the message does not quote it
   */
  static StorageFields read(String json) {
    JsonNode node;
    try {
      node = MAPPER.readTree(json);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the storage configuration is not JSON");
    }
    if (!node.isObject()) {
      throw new IllegalArgumentException("the storage configuration is not a JSON object");
    }
    return new StorageFields(
        text(node, "storageType"),
        text(node, "region"),
        endpoint(node, "endpoint"),
        endpoint(node, "endpointInternal"),
        endpoint(node, "stsEndpoint"),
        node.path("stsUnavailable").asBoolean(),
        node.path("pathStyleAccess").asBoolean(),
        // spelt roleARN in the rows of every release; the API spells it roleArn
        text(node, node.has("roleARN") ? "roleARN" : "roleArn"),
        text(node, "externalId"),
        text(node, "tenantId"),
        text(node, "gcpServiceAccount"));
  }

  CanonicalJson json() {
    return new CanonicalJson()
        .put("type", type)
        .put("region", region)
        .put("endpoint", endpoint)
        .put("endpoint_internal", endpointInternal)
        .put("sts_endpoint", stsEndpoint)
        .put("sts_unavailable", stsUnavailable ? Boolean.TRUE : null)
        .put("path_style_access", pathStyleAccess ? Boolean.TRUE : null)
        .put("role_arn", roleArn)
        .put("external_id", externalId)
        .put("tenant_id", tenantId)
        .put("gcp_service_account", gcpServiceAccount);
  }

  private static String endpoint(JsonNode node, String field) {
    String url = text(node, field);
    return url == null ? null : StorageUrls.endpoint(url);
  }

  private static String text(JsonNode node, String field) {
    String text = node.path(field).textValue();
    return text == null || text.isEmpty() ? null : text;
  }
}
