package dev.deckhand.polaris.outbox;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Takes logins out of what is logged and shown: the client's exceptions quote whole server URLs, and an entry that is no
 * URL is where a mistyped password is. Rather hides too much than too little.
 */
final class Secrets {
  private static final String HIDDEN = "***";
  private static final String UNREADABLE = "(not shown)";
  private static final String SCHEME = "(?i:(?:nats|tls|opentls|ws|wss)://)";
  private static final Pattern LEADING_SCHEME = Pattern.compile("^" + SCHEME);
  // a name, an IPv4 or a bracketed IPv6 address, and a port
  private static final Pattern PLACE = Pattern.compile("(?:[\\w.-]+|\\[[\\da-fA-F:.%]+])(?::\\d{1,5})?/?");
  // what stands before the last @ of a word; blanks end a word, since the password itself is known from the settings
  private static final Pattern LOGIN = Pattern.compile("(" + SCHEME + ")?[^\\s@\"'<>]*(?:@[^\\s@\"'<>]*)*@");
  private static final int SHORT = 4;

  private final List<Pattern> known;

  Secrets(NatsSettings settings) {
    Set<String> found = new LinkedHashSet<>();
    add(found, settings.password());
    // an unescaped comma in a password makes two entries of one
    add(found, login(String.join(",", settings.servers())));
    for (String entry : settings.servers()) {
      add(found, login(entry));
      for (String part : entry.split(",")) {
        add(found, login(part));
        if (entry(part).contains(UNREADABLE)) {
          add(found, part.trim());
          add(found, part.substring(part.lastIndexOf(':') + 1));
        }
      }
    }
    List<String> longestFirst = new ArrayList<>(found);
    longestFirst.sort(Comparator.comparingInt(String::length).reversed());
    known = longestFirst.stream().map(Secrets::pattern).toList();
  }

  /** The text without passwords, tokens and whatever stands before an @. */
  String scrub(String text) {
    if (text == null) {
      return "";
    }
    String clean = text;
    for (Pattern secret : known) {
      clean = secret.matcher(clean).replaceAll(HIDDEN);
    }
    return LOGIN.matcher(clean).replaceAll("$1" + HIDDEN + "@");
  }

  /** A configured server without its login, and nothing of it if what is left is no host and port. */
  static String entry(String server) {
    String trimmed = server.trim();
    var leading = LEADING_SCHEME.matcher(trimmed);
    String scheme = leading.find() ? leading.group() : "";
    int at = trimmed.lastIndexOf('@');
    String place = at >= 0 ? trimmed.substring(at + 1) : trimmed.substring(scheme.length());
    return PLACE.matcher(place).matches() ? scheme + place : UNREADABLE;
  }

  /** What stands before the last @, without the scheme; null if there is none. */
  private static String login(String entry) {
    int at = entry.lastIndexOf('@');
    return at < 0 ? null : LEADING_SCHEME.matcher(entry.substring(0, at).trim()).replaceFirst("");
  }

  private static void add(Set<String> found, String secret) {
    if (secret == null || secret.isBlank()) {
      return;
    }
    found.add(secret);
    int colon = secret.indexOf(':');
    if (colon >= 0 && colon + 1 < secret.length()) {
      found.add(secret.substring(colon + 1));
    }
    try {
      String decoded = URLDecoder.decode(secret.replace("+", "%2B"), StandardCharsets.UTF_8);
      found.add(decoded);
      found.add(decoded.substring(decoded.indexOf(':') + 1));
    } catch (IllegalArgumentException e) {
      return; // not escaped
    }
    found.remove("");
  }

  // a password of one letter must not tear every word apart
  private static Pattern pattern(String secret) {
    String quoted = Pattern.quote(secret);
    return Pattern.compile(secret.length() < SHORT ? "(?<!\\w)" + quoted + "(?!\\w)" : quoted);
  }
}
