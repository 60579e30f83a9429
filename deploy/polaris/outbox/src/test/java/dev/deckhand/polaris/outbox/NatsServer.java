package dev.deckhand.polaris.outbox;

import io.nats.client.Connection;
import io.nats.client.ErrorListener;
import io.nats.client.Nats;
import io.nats.client.Options;
import io.nats.client.api.DiscardPolicy;
import io.nats.client.api.StorageType;
import io.nats.client.api.StreamConfiguration;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** A real nats-server process on a free port of the loopback interface. It keeps port and store when restarted. */
public final class NatsServer implements AutoCloseable {
  private static final Path BUILT = Path.of("..", "..", "..", "build", "bin", "nats-server");

  private final Path folder;
  private final int port;
  private final List<String> arguments;
  private Process process;
  private Process watcher;

  private NatsServer(Path folder, int port, List<String> arguments) {
    this.folder = folder;
    this.port = port;
    this.arguments = arguments;
  }

  /** Starts a server; more arguments, such as {@code --config FILE}, may follow. */
  public static NatsServer launch(String... more) {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Path folder = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "nats");
      NatsServer server = new NatsServer(folder, free.getLocalPort(), List.of(more));
      free.close();
      server.start();
      return server;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Starts the process again after {@link #stop}. */
  public void start() {
    List<String> command = new ArrayList<>(List.of(binary()));
    command.addAll(List.of("-a", "127.0.0.1", "-p", Integer.toString(port), "-js", "-sd", folder.toString()));
    command.addAll(arguments);
    try {
      process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile()))
              .start();
      // ends the server when this JVM ends, however that happens: its standard input ends then. A shutdown hook is not
      // enough where a test class is loaded twice, as in component tests
      watcher = new ProcessBuilder("sh", "-c", "cat >/dev/null; kill -9 " + process.pid()).start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!listens()) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        throw new IllegalStateException("nats-server does not listen:\n" + log());
      }
      Thread.onSpinWait();
    }
  }

  /** Ends the process as an operator does. */
  public void stop() {
    watcher.destroyForcibly();
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        kill();
      }
    } catch (InterruptedException e) {
      kill();
      Thread.currentThread().interrupt();
    }
  }

  /** Lets the process stand still, its connections open: a NATS that does not answer. */
  public void freeze() {
    signal("STOP");
  }

  public void thaw() {
    signal("CONT");
  }

  public String url() {
    return "nats://127.0.0.1:" + port;
  }

  public int port() {
    return port;
  }

  public Connection connect() {
    return connect(options -> options);
  }

  public Connection connect(UnaryOperator<Options.Builder> change) {
    try {
      return Nats.connect(change.apply(new Options.Builder().server(url()).errorListener(new ErrorListener() {})).build());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** The stream JOBS as "worker setup" makes it, as far as a publisher can tell. */
  public static StreamConfiguration.Builder jobs() {
    return StreamConfiguration.builder()
        .name("JOBS")
        .subjects("jobs.>")
        .storageType(StorageType.File)
        .maxMessagesPerSubject(1)
        .discardPolicy(DiscardPolicy.New)
        .discardNewPerSubject(true);
  }

  @Override
  public void close() {
    stop();
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted((a, b) -> b.compareTo(a)).map(Path::toFile).forEach(File::delete);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String binary() {
    String named = System.getenv("NATS_SERVER");
    if (named != null) {
      return named;
    }
    if (Files.isExecutable(BUILT)) {
      return BUILT.toString();
    }
    throw new IllegalStateException(
        "nats-server is missing: \"make test-extension\" builds it, or name one with NATS_SERVER");
  }

  private boolean listens() {
    try (Socket probe = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return probe.getInputStream().read() == 'I'; // of INFO
    } catch (IOException e) {
      return false;
    }
  }

  /** What the process has printed. */
  public String log() {
    try {
      return Files.readString(folder.resolve("log"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private void signal(String name) {
    try {
      new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void kill() {
    process.destroyForcibly();
  }
}
