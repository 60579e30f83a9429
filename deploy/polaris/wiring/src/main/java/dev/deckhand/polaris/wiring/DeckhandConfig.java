package dev.deckhand.polaris.wiring;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What an operator sets, prefix {@code deckhand}: as -D, in application.properties, or DECKHAND_NATS_SERVERS and so on. */
@ConfigMapping(prefix = "deckhand")
public interface DeckhandConfig {
  Purge purge();

  Sweep sweep();

  Nats nats();

  interface Purge {
    /** False gives every task to the executor that Polaris has built in, as if Deckhand were not there. */
    @WithDefault("true")
    boolean enabled();

    /** Drops that may be on their way to NATS at once; more wait for the next sweep. */
    @WithDefault("16")
    int maxInFlight();
  }

  interface Sweep {
    /** How often the metastore is searched for rows that are left. */
    @WithDefault("PT30S")
    Duration interval();

    /**
     * Rows that other servers wrote are left alone until they are this old. Beside a stock server, set it above that
     * server's longest purge.
     */
    @WithDefault("PT60S")
    Duration minAge();

    /** How long a leased row is hidden from other servers. */
    @WithDefault("PT2M")
    Duration lease();

    /** When rows that are not ours, or not usable, are looked at again. */
    @WithDefault("PT1H")
    Duration lookAgain();

    /** Rows handed over at once in a sweep. */
    @WithDefault("16")
    int parallel();
  }

  interface Nats {
    /** URLs of the servers, separated by commas; tls:// for TLS. */
    @WithDefault("nats://127.0.0.1:4222")
    List<String> servers();

    /** A .creds file. */
    Optional<Path> credentials();

    Optional<String> user();

    Optional<String> password();

    /** Where answers come; the account must be allowed to subscribe to it and what follows. */
    Optional<String> inboxPrefix();

    Tls tls();

    @WithDefault("PT2S")
    Duration connectTimeout();

    /** How long a publish waits for the stream's answer. */
    @WithDefault("PT5S")
    Duration publishTimeout();
  }

  /** PEM files. */
  interface Tls {
    /** Authorities that signed the server's certificate. */
    Optional<Path> ca();

    Optional<Path> certificate();

    /** PKCS #8, not encrypted. */
    Optional<Path> key();
  }
}
