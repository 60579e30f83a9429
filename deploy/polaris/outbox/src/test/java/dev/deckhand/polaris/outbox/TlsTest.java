package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A nats-server that wants TLS, and certificates from its clients. */
class TlsTest {
  private static final Duration SOON = Duration.ofSeconds(20);

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"EC, secp256r1", "RSA, 2048"})
  void aJobIsPublishedOverMutualTls(String algorithm, String strength) throws Exception {
    makeCertificate(algorithm, strength);
    try (NatsServer server = NatsServer.launch("--config", config().toString());
        NatsLink link =
            new NatsLink(
                NatsSettings.of(server.url())
                    .withTls(folder.resolve("cert.pem"), folder.resolve("cert.pem"), folder.resolve("key.pem")),
                () -> {})) {
      await().atMost(SOON).until(link::connected);
      link.connection().orElseThrow().jetStreamManagement().addStream(NatsServer.jobs().build());

      assertThat(new JobPublisher(link).publish(NatsTest.job("orders")).answer()).isEqualTo(PublishAnswer.QUEUED);
    }
  }

  @Test
  void aServerThatTheAuthoritiesDidNotSignIsNotTrusted() throws Exception {
    makeCertificate("EC", "secp256r1");
    try (NatsServer server = NatsServer.launch("--config", config().toString());
        NatsLink link =
            new NatsLink(
                NatsSettings.of(server.url().replace("nats:", "tls:")).withTls(null, null, null), () -> {})) {
      await().atMost(SOON).until(() -> link.problem().orElse("").contains("certification path"));
      assertThat(link.connected()).isFalse();
    }
  }

  @Test
  void filesThatAreNotPemAreNamed() throws Exception {
    makeCertificate("EC", "secp256r1");
    Path certificate = folder.resolve("cert.pem");
    assertThatThrownBy(() -> PemTls.context(null, certificate, certificate)).hasMessageContaining("cert.pem has no PKCS #8 key");
    Path empty = Files.createFile(folder.resolve("empty.pem"));
    assertThatThrownBy(() -> PemTls.context(empty, null, null)).hasMessageContaining("empty.pem has no certificate");
  }

  private Path config() throws IOException {
    return Files.writeString(
        folder.resolve("nats.conf"),
        "tls { cert_file: \"%1$s/cert.pem\", key_file: \"%1$s/key.pem\", ca_file: \"%1$s/cert.pem\", verify: true }"
            .formatted(folder));
  }

  /** One certificate for server, client and authority; Java writes key stores only, so its PEM files are made here. */
  private void makeCertificate(String algorithm, String strength)
      throws IOException, InterruptedException, GeneralSecurityException {
    Path store = folder.resolve("store.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair", "-alias", "a", "-keyalg", algorithm,
                algorithm.equals("EC") ? "-groupname" : "-keysize", strength,
                "-dname", "CN=deckhand", "-ext", "san=ip:127.0.0.1", "-ext", "eku=serverAuth,clientAuth",
                "-validity", "2", "-storetype", "PKCS12", "-keystore", store.toString(), "-storepass", "changeit")
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("keytool.log").toFile())
            .start();
    assertThat(keytool.waitFor()).as(Files.readString(folder.resolve("keytool.log"))).isZero();
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, "changeit".toCharArray());
    }
    pem("key.pem", "PRIVATE KEY", keys.getKey("a", "changeit".toCharArray()).getEncoded());
    pem("cert.pem", "CERTIFICATE", keys.getCertificate("a").getEncoded());
  }

  private void pem(String name, String label, byte[] content) throws IOException {
    String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
    Files.writeString(
        folder.resolve(name), "-----BEGIN %1$s-----%n%2$s%n-----END %1$s-----%n".formatted(label, text));
  }
}
