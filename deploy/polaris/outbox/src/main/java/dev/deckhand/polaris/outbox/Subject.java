package dev.deckhand.polaris.outbox;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The subject of a job, as jobs/CONTRACT.md describes it under "Its subject". */
final class Subject {
  private static final int MAX_TAIL = 1000;
  private static final HexFormat UPPER = HexFormat.of().withUpperCase();

  private Subject() {}

  /**
   * The subject on which the job is published.
   *
   * @throws IllegalArgumentException if realm, catalog and UUID alone pass 1,000 bytes
   */
  static String of(PurgeJob job) {
    String tail =
        tail(job, job.namespace().stream().map(Subject::escape).collect(Collectors.joining("/")), escape(job.table()));
    if (tail.length() > MAX_TAIL) {
      tail = tail(job, hash(job.namespace()), hash(List.of(job.table())));
    }
    if (tail.length() > MAX_TAIL) {
      throw new IllegalArgumentException(
          "realm, catalog and UUID make a subject of " + tail.length() + " bytes; " + MAX_TAIL + " is the limit");
    }
    return "jobs." + tail;
  }

  /** Each byte outside A-Z a-z 0-9 _ - as "=" and two upper-case hex digits. */
  static String escape(String raw) {
    StringBuilder escaped = new StringBuilder(raw.length());
    for (byte b : raw.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      if (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
        escaped.append(c);
      } else {
        escaped.append('=').append(UPPER.toHexDigits(b));
      }
    }
    return escaped.toString();
  }

  private static String tail(PurgeJob job, String namespace, String table) {
    String unique = job.tableUuid() != null ? job.tableUuid() : job.entityId();
    return Stream.of(
            escape(job.kind()), escape(job.realm()), escape(job.catalog()), namespace, table, escape(unique))
        .collect(Collectors.joining("."));
  }

  // U+001F between levels, as in the Iceberg REST protocol
  private static String hash(List<String> levels) {
    try {
      byte[] sum =
          MessageDigest.getInstance("SHA-256")
              .digest(String.join("\u001f", levels).getBytes(StandardCharsets.UTF_8));
      return "=~" + HexFormat.of().formatHex(sum, 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
