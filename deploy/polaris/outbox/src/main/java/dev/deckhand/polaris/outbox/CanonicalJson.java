package dev.deckhand.polaris.outbox;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Writes one JSON object in the canonical form of the contract: keys in the order of the calls, absent instead of null,
 * no white space, nothing escaped but quotes, backslashes and U+0000 to U+001F. General encoders differ from each other in
 * what they escape, and the golden files are compared byte by byte.
 */
final class CanonicalJson {
  private final StringBuilder out = new StringBuilder("{");

  /** Adds a string, unless it is null. */
  CanonicalJson put(String key, String value) {
    return value == null ? this : raw(key, quote(value));
  }

  /** Adds a number. */
  CanonicalJson put(String key, int value) {
    return raw(key, Integer.toString(value));
  }

  /** Adds true or false, unless it is null. */
  CanonicalJson put(String key, Boolean value) {
    return value == null ? this : raw(key, value.toString());
  }

  /** Adds a list of strings, unless it is empty. */
  CanonicalJson put(String key, List<String> values) {
    return values.isEmpty()
        ? this
        : raw(key, values.stream().map(CanonicalJson::quote).collect(Collectors.joining(",", "[", "]")));
  }

  /** Adds an object, unless it is null. */
  CanonicalJson put(String key, CanonicalJson value) {
    return value == null ? this : raw(key, value.toString());
  }

  /** The object in UTF-8. */
  byte[] bytes() {
    return toString().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public String toString() {
    return out + "}";
  }

  private CanonicalJson raw(String key, String json) {
    if (out.length() > 1) {
      out.append(',');
    }
    out.append(quote(key)).append(':').append(json);
    return this;
  }

  private static String quote(String value) {
    StringBuilder quoted = new StringBuilder(value.length() + 2).append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> quoted.append("\\\"");
        case '\\' -> quoted.append("\\\\");
        case '\b' -> quoted.append("\\b");
        case '\f' -> quoted.append("\\f");
        case '\n' -> quoted.append("\\n");
        case '\r' -> quoted.append("\\r");
        case '\t' -> quoted.append("\\t");
        default -> {
          if (c < 0x20) {
            quoted.append(String.format("\\u%04x", (int) c));
          } else {
            quoted.append(c);
          }
        }
      }
    }
    return quoted.append('"').toString();
  }
}
