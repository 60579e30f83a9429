package dev.deckhand.polaris.outbox;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * Where NATS is and how to log in. Null stands for "not set"; password and credentials are read when connecting, and
 * never logged.
 *
 * @param servers URLs such as {@code nats://host:4222} or {@code tls://host:4222}
 * @param credentials a .creds file
 * @param user name, with a password; an alternative to credentials
 * @param inboxPrefix where answers come, {@code _INBOX} if not set; the account must be allowed to subscribe to it
 * @param ca PEM file of the authorities that signed the server's certificate; setting it switches TLS on
 * @param certificate PEM file of the client's certificate, with its chain
 * @param key PEM file of the client's private key, PKCS #8, not encrypted
 * @param connectTimeout how long one attempt to connect may take
 * @param publishTimeout how long a publish waits for the stream's answer. A stream of three nodes that loses its leader
 *     needs up to six seconds.
 */
public record NatsSettings(
    List<String> servers,
    Path credentials,
    String user,
    String password,
    String inboxPrefix,
    Path ca,
    Path certificate,
    Path key,
    Duration connectTimeout,
    Duration publishTimeout) {

  public NatsSettings {
    servers = List.copyOf(servers);
    if (servers.isEmpty()) {
      throw new IllegalArgumentException("no NATS server is named; set deckhand.nats.servers");
    }
    if ((certificate == null) != (key == null)) {
      throw new IllegalArgumentException("a client certificate and its key go together; set both or neither");
    }
    Objects.requireNonNull(connectTimeout);
    Objects.requireNonNull(publishTimeout);
  }

  /** One server without login, two seconds to connect, five to publish. */
  public static NatsSettings of(String server) {
    return new NatsSettings(
        List.of(server), null, null, null, null, null, null, null, Duration.ofSeconds(2), Duration.ofSeconds(5));
  }

  /** The same with another time to wait for the stream's answer. */
  public NatsSettings withPublishTimeout(Duration timeout) {
    return new NatsSettings(
        servers, credentials, user, password, inboxPrefix, ca, certificate, key, connectTimeout, timeout);
  }

  /** The same with another login. */
  public NatsSettings withLogin(String name, String secret, String inboxes) {
    return new NatsSettings(
        servers, credentials, name, secret, inboxes, ca, certificate, key, connectTimeout, publishTimeout);
  }

  /** The same with TLS. */
  public NatsSettings withTls(Path authorities, Path clientCertificate, Path clientKey) {
    return new NatsSettings(
        servers,
        credentials,
        user,
        password,
        inboxPrefix,
        authorities,
        clientCertificate,
        clientKey,
        connectTimeout,
        publishTimeout);
  }

  /** The servers without their logins. */
  @Override
  public String toString() {
    return servers.stream().map(Secrets::entry).collect(Collectors.joining(","));
  }
}
