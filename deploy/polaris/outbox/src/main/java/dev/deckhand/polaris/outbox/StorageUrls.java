package dev.deckhand.polaris.outbox;

import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Keeps logins in the URLs of a table's storage inside the server. A password may hold any character, also those that end
 * it by a URL's grammar; where a login cannot be told from the rest for certain, the URL is not used at all.
 */
final class StorageUrls {
  private static final Pattern SCHEME = Pattern.compile("^\\s*([A-Za-z][A-Za-z0-9+.-]*)://");
  private static final Pattern END_OF_HOST = Pattern.compile("[/?#\\\\]");
  private static final String HOST = "(?:[^\\s:@,%\\[\\]]+|\\[[\\da-fA-F:.]+])(?::\\d{1,5})?";
  private static final Pattern ONE_HOST = Pattern.compile(HOST);
  // HDFS takes several
  private static final Pattern HOSTS = Pattern.compile(HOST + "(?:," + HOST + ")*");
  private static final Pattern QUERY = Pattern.compile("[?#].*$", Pattern.DOTALL);
  private static final Pattern LOGIN_WITHOUT_SCHEME = Pattern.compile("^[^/:]+:[^/].*@", Pattern.DOTALL);
  private static final Set<String> BUCKETS = Set.of("s3", "s3a", "s3n", "gs", "oss");
  private static final Set<String> AZURE = Set.of("abfs", "abfss", "wasb", "wasbs");

  private StorageUrls() {}

  /** An endpoint without its login and query; null if what is left is no host, or may be a part of a password. */
  static String endpoint(String url) {
    Matcher scheme = SCHEME.matcher(url);
    int from = scheme.find() ? scheme.end() : 0;
    int to = endOfHost(url, from);
    int at = url.lastIndexOf('@');
    if (at >= to) {
      return null; // a password with a slash in it, or a path with an @ in it
    }
    String host = url.substring(Math.max(from, at + 1), to);
    return ONE_HOST.matcher(host).matches()
        ? url.substring(0, from) + host + QUERY.matcher(url.substring(to)).replaceFirst("")
        : null;
  }

  /**
   * Whether a location of files may hold a login. It is not taken out: the table's metadata names its files with it, and
   * what is left would be another place.
   */
  static boolean mayHoldLogin(String location) {
    Matcher scheme = SCHEME.matcher(location);
    if (!scheme.find()) {
      return LOGIN_WITHOUT_SCHEME.matcher(location).find();
    }
    String kind = scheme.group(1).toLowerCase(Locale.ROOT);
    String place = location.substring(scheme.end(), endOfHost(location, scheme.end()));
    if (AZURE.contains(kind)) {
      place = place.replaceFirst("^[^:@]*@", ""); // container@account
    }
    if (place.contains("@")) {
      return true;
    }
    if (place.isEmpty() || !place.contains(":") || place.startsWith("arn:")) {
      return false;
    }
    // host:port, or user:password with a slash in the password
    return BUCKETS.contains(kind) || !HOSTS.matcher(place).matches();
  }

  private static int endOfHost(String url, int from) {
    Matcher end = END_OF_HOST.matcher(url);
    return end.find(from) ? end.start() : url.length();
  }
}
