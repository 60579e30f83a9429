package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.mock;

import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Settings that make no sense end the start of the server, with the key and the way out. */
class ConfigCheckTest {
  @Test
  void theDefaultsMakeSense() {
    assertThatCode(() -> ConfigCheck.check(config())).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "purge.max-in-flight=1",
        "sweep.interval=PT0.1S",
        "sweep.min-age=PT0S",
        "sweep.min-age=PT6H",
        "sweep.look-again=PT0S",
        "sweep.parallel=1",
        "sweep.lease=PT41S nats.publish-timeout=PT20S",
        "nats.user=polaris nats.password=p",
        "nats.credentials=/etc/polaris.creds",
        "nats.inbox-prefix=_INBOX_polaris",
        "nats.inbox-prefix=team.inbox",
        "nats.tls.certificate=c.pem nats.tls.key=k.pem",
      })
  void theseMakeSenseToo(String settings) {
    assertThatCode(() -> ConfigCheck.check(config(settings.split(" ")))).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "purge.max-in-flight=0 | deckhand.purge.max-in-flight is 0, set it to 1 to 10000",
        "purge.max-in-flight=-1 | deckhand.purge.max-in-flight is -1, set it to 1 to 10000",
        "purge.max-in-flight=10001 | deckhand.purge.max-in-flight is 10001, set it to 1 to 10000",
        "sweep.interval=PT0S | deckhand.sweep.interval is PT0S, set it to PT0.1S to PT8760H",
        "sweep.interval=PT0.0001S | deckhand.sweep.interval is PT0.0001S, set it to PT0.1S to PT8760H",
        "sweep.interval=-PT30S | deckhand.sweep.interval is PT-30S, set it to PT0.1S to PT8760H",
        "sweep.interval=P9999999D | deckhand.sweep.interval is PT239999976H, set it to PT0.1S to PT8760H",
        "sweep.min-age=-PT1S | deckhand.sweep.min-age is PT-1S, set it to PT0S to PT8760H",
        "sweep.look-again=-PT1S | deckhand.sweep.look-again is PT-1S, set it to PT0S to PT8760H",
        "sweep.look-again=P9999999D | deckhand.sweep.look-again is PT239999976H, set it to PT0S to PT8760H",
        "sweep.parallel=0 | deckhand.sweep.parallel is 0, set it to 1 to 10000",
        "sweep.parallel=-16 | deckhand.sweep.parallel is -16, set it to 1 to 10000",
        "sweep.lease=PT0S | deckhand.sweep.lease is PT0S, set it to PT1.001S to PT8760H",
        "sweep.lease=-PT2M | deckhand.sweep.lease is PT-2M, set it to PT1.001S to PT8760H",
        "sweep.lease=PT10S | deckhand.sweep.lease is PT10S, set it to more than twice deckhand.nats.publish-timeout (PT5S)",
        "nats.connect-timeout=PT0S | deckhand.nats.connect-timeout is PT0S, set it to PT0.1S to PT1H",
        "nats.connect-timeout=P30D | deckhand.nats.connect-timeout is PT720H, set it to PT0.1S to PT1H",
        "nats.publish-timeout=PT0S | deckhand.nats.publish-timeout is PT0S, set it to PT0.1S to PT1H",
        "nats.publish-timeout=-PT5S | deckhand.nats.publish-timeout is PT-5S, set it to PT0.1S to PT1H",
        "nats.user=polaris | of deckhand.nats.user and deckhand.nats.password only one is set, set both or neither",
        "nats.password=hunter2 | of deckhand.nats.user and deckhand.nats.password only one is set, set both or neither",
        "nats.credentials=a nats.user=b nats.password=hunter2 | deckhand.nats.credentials is set beside",
        "nats.tls.certificate=c.pem | of deckhand.nats.tls.certificate and deckhand.nats.tls.key only one is set",
        "nats.tls.key=k.pem | of deckhand.nats.tls.certificate and deckhand.nats.tls.key only one is set",
        "nats.inbox-prefix=_INBOX.> | deckhand.nats.inbox-prefix is \"_INBOX.>\", set it to words",
        "nats.inbox-prefix=_INBOX. | deckhand.nats.inbox-prefix is \"_INBOX.\", set it to words",
        "nats.inbox-prefix=a..b | deckhand.nats.inbox-prefix is \"a..b\", set it to words",
      })
  void theseAreRefusedWithTheKeyAndTheFix(String settings, String message) {
    assertThatThrownBy(() -> ConfigCheck.check(config(settings.split(" "))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(message)
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("; ").doesNotContain("hunter2"));
  }

  @Test
  void allThatIsWrongIsSaidAtOnce() {
    assertThatThrownBy(() -> ConfigCheck.check(config("purge.max-in-flight=0", "sweep.interval=PT0S", "nats.user=a")))
        .hasMessageContaining("deckhand.purge.max-in-flight")
        .hasMessageContaining("deckhand.sweep.interval")
        .hasMessageContaining("deckhand.nats.user");
  }

  @Test
  void theServerDoesNotStartWithThemUnlessDeckhandIsSwitchedOff() {
    assertThatThrownBy(() -> start("sweep.interval=PT0S")).hasMessageContaining("deckhand.sweep.interval");
    assertThatCode(() -> start("sweep.interval=PT0S", "purge.enabled=false")).doesNotThrowAnyException();
  }

  private static void start(String... settings) throws InterruptedException {
    var delegation = new Delegation(config(settings), mock(MetaStoreManagerFactory.class));
    try {
      delegation.start();
    } finally {
      delegation.stop();
    }
  }

  static DeckhandConfig config(String... settings) {
    Map<String, String> values =
        Arrays.stream(settings)
            .map(setting -> setting.split("=", 2))
            .collect(Collectors.toMap(pair -> "deckhand." + pair[0], pair -> pair[1]));
    return new SmallRyeConfigBuilder()
        .withDefaultValues(values)
        .withMapping(DeckhandConfig.class)
        .build()
        .getConfigMapping(DeckhandConfig.class);
  }
}
