package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** No login in what is logged and shown, however odd the settings are. */
class SecretsTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "nats://localhost:4222 | nats://localhost:4222",
        "nats://bob:hunter2@localhost:4222 | nats://localhost:4222",
        "tls://bob:hun@ter2@host | tls://host",
        "nats://bob:hun/ter2@host:4222 | nats://host:4222",
        "nats://bob:hun#ter2@[::1]:4222 | nats://[::1]:4222",
        "nats://hunter2@host | nats://host",
        "bob:hunter2@host | host",
        "bob:hunter2@host:4222 | host:4222",
        "bob://hunter2@host | host",
        "nats://bob:hunter2 | (not shown)",
        "bob:hunter2 | (not shown)",
        "hun ter2 | (not shown)",
        "nats://bob:hun ter2@host | nats://host",
        "nats://bob:hunter2@host/x?y | (not shown)",
        "nats://a:hunter2@one:1,nats://b:hunter3@two:2 | nats://two:2",
      })
  void ofAnEntryOnlyTheHostIsShown(String entry, String shown) {
    assertThat(NatsSettings.of(entry).toString()).isEqualTo(shown);
  }

  @Test
  void eachEntryOfAListIsShownWithoutItsLogin() {
    var settings = servers("nats://bob:hunter2@one", "bob:hun@ter3@two:4222", "three");
    assertThat(settings.toString()).isEqualTo("nats://one,two:4222,three");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nats://bob:hunter2@host",
        "nats://bob:x@hunter2@host",
        "nats://bob:hunter2@x@host:4222",
        "bob:hunter2@host",
        "bob:x hunter2@host",
        "nats://bob:x hunter2 y@host",
        "nats://bob:x\"hunter2'<y>@host",
        "nats://hunter2@host",
        "nats://bob:%68unter2@host",
        "nats://bob:hunter2@one,nats://bob:hunter2@two",
        "nats://bob:x,hunter2@host",
        "nats://bob:hunter2",
        "bob:hunter2",
      })
  void anExceptionThatQuotesAnEntryDoesNotTellItsPassword(String entry) {
    for (NatsSettings settings : List.of(NatsSettings.of(entry), servers(entry.split(",")))) {
      var secrets = new Secrets(settings);
      assertThat(secrets.scrub("Illegal character in authority at index 7: " + entry)).doesNotContain("hunter2");
      for (String part : settings.servers()) {
        assertThat(secrets.scrub("cannot reach [" + part + "], closed")).doesNotContain("hunter2").endsWith(", closed");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"nats://bob:hunter2@host", "nats://hunter2@host", "bob:hunter2@host", "nats://bob:hunter%32@host", "bob:hunter2"})
  void aPasswordOfAnEntryIsTakenOutAlsoWhereItStandsAlone(String entry) {
    assertThat(new Secrets(NatsSettings.of(entry)).scrub("login hunter2 refused")).isEqualTo("login *** refused");
  }

  @Test
  void aPasswordOfTheSettingsIsTakenOutAlsoAShortOne() {
    var settings = NatsSettings.of("nats://host").withLogin("bob", "p", null);
    assertThat(new Secrets(settings).scrub("password p of pipe: p")).isEqualTo("password *** of pipe: ***");
    settings = settings.withLogin("bob", "$1 hun@ter\\2", null);
    assertThat(new Secrets(settings).scrub("refused: $1 hun@ter\\2!")).isEqualTo("refused: ***!");
  }

  @Test
  void loginsOfServersThatAreNotInTheSettingsAreTakenOutToo() {
    var secrets = new Secrets(NatsSettings.of("nats://host"));
    assertThat(secrets.scrub("tried nats://a:b@one:1, and c:d@e@two")).isEqualTo("tried nats://***@one:1, and ***@two");
    assertThat(secrets.scrub("java.io.IOException: Unable to connect to NATS servers: [nats://host:4222]"))
        .isEqualTo("java.io.IOException: Unable to connect to NATS servers: [nats://host:4222]");
  }

  @ParameterizedTest
  @ValueSource(strings = {"nats://bob:hun ter2@host", "nats://bob:hunter2", "nats://bob:hun[ter2@host", "bob:hun%zzter2@host"})
  void anEntryThatIsNoUrlIsCalledSoAndNotQuoted(String entry) {
    try (NatsLink link = new NatsLink(servers(entry), () -> {})) {
      await().atMost(Duration.ofSeconds(20)).until(() -> link.problem().isPresent());
      assertThat(link.problem().orElseThrow()).doesNotContain("hun").doesNotContain("ter2").doesNotContain("bob");
      assertThat(link.problem()).contains("an entry of deckhand.nats.servers is no URL");
    }
  }

  private static NatsSettings servers(String... entries) {
    NatsSettings one = NatsSettings.of("nats://host");
    return new NatsSettings(
        List.of(entries), null, null, null, null, null, null, null, one.connectTimeout(), one.publishTimeout());
  }
}
