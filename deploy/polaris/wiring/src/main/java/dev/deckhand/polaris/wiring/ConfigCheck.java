package dev.deckhand.polaris.wiring;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Refuses settings with which nothing would be handed over, or only later and without a word: a timer that cannot start, a
 * password that is not used. All of them at once, each with its key and what to set instead.
 */
final class ConfigCheck {
  private static final int MANY = 10_000;
  private static final Duration SHORT = Duration.ofMillis(100);
  // sums of times must not pass what Java can count
  private static final Duration LONG = Duration.ofDays(365);
  private static final Duration LONG_WAIT = Duration.ofHours(1);
  private static final Pattern SUBJECT = Pattern.compile("[^\\s.*>]+(\\.[^\\s.*>]+)*");

  private final List<String> problems = new ArrayList<>();

  private ConfigCheck() {}

  /**
   * Looks at all settings.
   *
   * @throws IllegalArgumentException if some make no sense; its message names their keys, and no secrets
   */
  static void check(DeckhandConfig config) {
    ConfigCheck check = new ConfigCheck();
    check.within("deckhand.purge.max-in-flight", config.purge().maxInFlight(), 1, MANY);
    check.sweep(config.sweep(), config.nats().publishTimeout());
    check.nats(config.nats());
    if (!check.problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", check.problems));
    }
  }

  private void sweep(DeckhandConfig.Sweep sweep, Duration publishTimeout) {
    within("deckhand.sweep.interval", sweep.interval(), SHORT, LONG);
    within("deckhand.sweep.min-age", sweep.minAge(), Duration.ZERO, LONG);
    within("deckhand.sweep.look-again", sweep.lookAgain(), Duration.ZERO, LONG);
    within("deckhand.sweep.parallel", sweep.parallel(), 1, MANY);
    if (within("deckhand.sweep.lease", sweep.lease(), Duration.ofMillis(1_001), LONG)
        && sweep.lease().dividedBy(2).compareTo(publishTimeout) <= 0) {
      problems.add(
          "deckhand.sweep.lease is " + sweep.lease() + ", set it to more than twice deckhand.nats.publish-timeout ("
              + publishTimeout + ")");
    }
  }

  private void nats(DeckhandConfig.Nats nats) {
    within("deckhand.nats.connect-timeout", nats.connectTimeout(), SHORT, LONG_WAIT);
    within("deckhand.nats.publish-timeout", nats.publishTimeout(), SHORT, LONG_WAIT);
    if (nats.credentials().isPresent() && (nats.user().isPresent() || nats.password().isPresent())) {
      problems.add("deckhand.nats.credentials is set beside deckhand.nats.user or .password, set only the one or the other");
    } else if (nats.user().isPresent() != nats.password().isPresent()) {
      problems.add("of deckhand.nats.user and deckhand.nats.password only one is set, set both or neither");
    }
    if (nats.tls().certificate().isPresent() != nats.tls().key().isPresent()) {
      problems.add("of deckhand.nats.tls.certificate and deckhand.nats.tls.key only one is set, set both or neither");
    }
    nats.inboxPrefix()
        .filter(prefix -> !SUBJECT.matcher(prefix).matches())
        .ifPresent(
            prefix ->
                problems.add(
                    "deckhand.nats.inbox-prefix is \"" + prefix + "\", set it to words with dots between them, without"
                        + " wildcards, as in _INBOX_polaris"));
  }

  private void within(String key, int value, int least, int most) {
    if (value < least || value > most) {
      problems.add(key + " is " + value + ", set it to " + least + " to " + most);
    }
  }

  private boolean within(String key, Duration value, Duration least, Duration most) {
    boolean fits = value.compareTo(least) >= 0 && value.compareTo(most) <= 0;
    if (!fits) {
      problems.add(key + " is " + value + ", set it to " + least + " to " + most);
    }
    return fits;
  }
}
