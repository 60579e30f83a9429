package dev.deckhand.polaris.outbox;

import io.nats.client.Connection;
import io.nats.client.ConnectionListener.Events;
import io.nats.client.ErrorListener;
import io.nats.client.Nats;
import io.nats.client.Options;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Deque;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one connection to NATS. It connects in the background and for ever, so that the server starts and serves without
 * NATS; whoever wants to publish asks first whether it is connected.
 */
public final class NatsLink implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NatsLink.class);
  private static final Duration RETRY = Duration.ofSeconds(1);
  private static final int MAX_REPORTED = 10;
  private static final int MAX_DENIALS = 256;
  // permissions may be mended without a word to the client, which subscribes again only on a new connection
  private static final Duration DENIED_RETRY = Duration.ofMinutes(1);
  private static final String INBOX_DENIED = "permissions violation for subscription";

  /** What to do about an account that may not subscribe to where answers come. */
  static final String INBOX_FIX =
      "the account may not subscribe to the inbox, so that no answer can come; set deckhand.nats.inbox-prefix"
          + " to what it may subscribe to (_INBOX_polaris for the account in accounts.conf)";

  /** Without the cause, which quotes the entry and with it the login. */
  private static final class NotUrl extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    NotUrl() {
      super("an entry of deckhand.nats.servers is no URL");
    }
  }

  /** What a server said when it refused a publish, and when. */
  private record Denial(String text, long nanos) {}

  private final NatsSettings settings;
  private final Secrets secrets;
  private final Runnable onConnected;
  private final ExecutorService background =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread thread = new Thread(work, "deckhand-nats");
            thread.setDaemon(true);
            return thread;
          });
  private final AtomicBoolean renewing = new AtomicBoolean();
  // the first attempts report for themselves
  private final AtomicBoolean away = new AtomicBoolean(true);
  private final Deque<Denial> denials = new ConcurrentLinkedDeque<>();
  private final Set<String> reported = ConcurrentHashMap.newKeySet();
  // of this connection: the server says so once, and then nothing more
  private final AtomicReference<Denial> inboxDenied = new AtomicReference<>();
  private final AtomicBoolean inboxReported = new AtomicBoolean();
  private volatile Connection connection;
  private volatile String problem;
  // the client told its listener why an attempt failed; its exception does not
  private volatile boolean explained;
  private volatile boolean closed;

  /**
   * Starts to connect and returns at once.
   *
   * @param onConnected is told of each connection, on a thread that it must not hold up
   */
  public NatsLink(NatsSettings settings, Runnable onConnected) {
    this.settings = settings;
    this.secrets = new Secrets(settings);
    this.onConnected = onConnected;
    background.execute(this::connect);
  }

  /** Whether a publish has a chance now: there is a connection, and its answer may come back. */
  public boolean ready() {
    return connected() && !inboxDenied();
  }

  /** Whether the server refused the subscription on which all answers of this connection come. */
  boolean inboxDenied() {
    return inboxDenied.get() != null;
  }

  /** Whether there is a connection. */
  public boolean connected() {
    Connection now = connection;
    return now != null && now.getStatus() == Connection.Status.CONNECTED;
  }

  /** Why there is no connection, or why it is of no use, if that is known. */
  public Optional<String> problem() {
    if (inboxDenied()) {
      return Optional.of(INBOX_FIX);
    }
    return connected() ? Optional.empty() : Optional.ofNullable(problem);
  }

  /** The text of an exception or a server, fit for logs and health. */
  String scrub(String text) {
    return secrets.scrub(text);
  }

  /** How long a publish waits for its answer. */
  Duration publishTimeout() {
    return settings.publishTimeout();
  }

  /** The connection, or empty while there is none. */
  Optional<Connection> connection() {
    return connected() ? Optional.of(connection) : Optional.empty();
  }

  /**
   * Whether the server refused a publish on this subject since that moment of {@link System#nanoTime}. It says so beside
   * the publish, which then gets no answer at all.
   */
  boolean deniedSince(String subject, long nanos) {
    String quoted = '"' + subject + '"';
    return denials.stream().anyMatch(denial -> denial.nanos - nanos >= 0 && denial.text.contains(quoted));
  }

  /**
   * Drops the connection and makes a new one, in the background. For publishes that time out one after another while the
   * connection looks well: releases of the client up to 2.25.1 had such states after the server was restarted.
   */
  void renew() {
    Connection now = connection;
    if (now == null || !renewing.compareAndSet(false, true)) {
      return;
    }
    inBackground(
        () -> {
          try {
            LOG.warn("publishes to NATS get no answer; connecting anew");
            now.forceReconnect();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          } catch (Throwable e) {
            LOG.warn("connecting to NATS anew failed: {}", scrub(e.toString()));
          } finally {
            renewing.set(false);
          }
        });
  }

  /** Makes a new connection now and then if answers may not come on this one: the account may have been mended. */
  void renewIfDenied() {
    Denial denial = inboxDenied.get();
    if (denial != null && System.nanoTime() - denial.nanos > DENIED_RETRY.toNanos()) {
      renew();
    }
  }

  /** Ends the connection. What waits for an answer gets none. */
  @Override
  public void close() {
    closed = true;
    background.shutdownNow();
    Connection now = connection;
    if (now != null) {
      try {
        now.close();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  // not Nats.connectAsynchronously: it hands out the connection only once it is up, so that it cannot be closed before
  private void connect() {
    while (!closed) {
      explained = false;
      try {
        Connection made = Nats.connect(options());
        connection = made;
        away.set(false);
        reported.clear();
        if (closed) {
          made.close();
          return;
        }
        LOG.info("connected to NATS at {}", settings);
        tellConnected();
        return;
      } catch (InterruptedException e) {
        return;
      } catch (Throwable e) {
        // no one else connects: this thread goes on whatever it was
        if (!explained) {
          report(e instanceof NotUrl ? e.getMessage() : scrub(e.toString()));
        }
      }
      try {
        Thread.sleep(RETRY.toMillis());
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  // the connection is well, whatever happens to who is told
  private void tellConnected() {
    try {
      onConnected.run();
    } catch (Throwable e) {
      LOG.warn("no sweep follows the connection to NATS, the next one comes at its time: {}", scrub(e.toString()));
    }
  }

  private void inBackground(Runnable work) {
    try {
      background.execute(work);
    } catch (RejectedExecutionException e) {
      LOG.debug("closed meanwhile");
    }
  }

  private Options options() throws IOException, GeneralSecurityException {
    Options.Builder options =
        servers(new Options.Builder())
            .connectionName("polaris")
            .connectionTimeout(settings.connectTimeout())
            .maxReconnects(-1)
            .reconnectWait(RETRY)
            // a publish must fail while NATS is away, not wait in memory: the row is the buffer
            .reconnectBufferSize(0)
            .connectionListener((from, event) -> changed(from, event))
            .errorListener(new Listener());
    if (settings.inboxPrefix() != null) {
      options.inboxPrefix(settings.inboxPrefix() + ".");
    }
    if (settings.credentials() != null) {
      options.authHandler(Nats.credentials(settings.credentials().toString()));
    } else if (settings.user() != null) {
      options.userInfo(settings.user(), settings.password() == null ? "" : settings.password());
    }
    if (settings.ca() != null || settings.certificate() != null) {
      options.sslContext(PemTls.context(settings.ca(), settings.certificate(), settings.key()));
    }
    return options.build();
  }

  private Options.Builder servers(Options.Builder options) {
    try {
      return options.servers(settings.servers().toArray(new String[0]));
    } catch (IllegalArgumentException e) {
      throw new NotUrl();
    }
  }

  private void changed(Connection from, Events event) {
    switch (event) {
      case DISCONNECTED -> {
        inboxDenied.set(null);
        // comes again with each attempt that fails
        if (!closed && away.compareAndSet(false, true)) {
          LOG.warn("NATS is away; drops go on, their purges wait in the metastore");
        }
      }
      case CLOSED -> {
        // the client gives up for good when a server refuses its login twice, also while that is being mended; it says
        // the same of connections that never came up, which connect() tries again itself
        if (!closed && from == connection) {
          connection = null;
          inboxDenied.set(null);
          inBackground(this::connect);
        }
      }
      case RECONNECTED -> {
        away.set(false);
        LOG.info("connected to NATS again");
        tellConnected();
      }
      default -> LOG.debug("NATS connection: {}", event);
    }
  }

  // each attempt fails with the same few texts
  private void report(String text) {
    problem = text;
    if (reported.size() < MAX_REPORTED && reported.add(text)) {
      LOG.warn("NATS at {} cannot be reached: {}; drops go on, their purges wait in the metastore", settings, text);
    }
  }

  private final class Listener implements ErrorListener {
    @Override
    public void errorOccurred(Connection from, String error) {
      denials.addFirst(new Denial(error, System.nanoTime()));
      while (denials.size() > MAX_DENIALS) {
        denials.pollLast();
      }
      if (error.toLowerCase(Locale.ROOT).contains(INBOX_DENIED)) {
        // the link makes no subscription but the client's inbox
        inboxDenied.set(new Denial(error, System.nanoTime()));
        if (inboxReported.compareAndSet(false, true)) {
          LOG.warn("NATS: {}; drops go on, their purges wait in the metastore", INBOX_FIX);
        }
      }
      said(error);
    }

    @Override
    public void exceptionOccurred(Connection from, Exception e) {
      said(e.toString());
    }

    private void said(String raw) {
      String text = scrub(raw);
      if (connection == null) {
        explained = true;
        report(text);
      } else {
        problem = text;
        LOG.debug("NATS: {}", text);
      }
    }
  }
}
