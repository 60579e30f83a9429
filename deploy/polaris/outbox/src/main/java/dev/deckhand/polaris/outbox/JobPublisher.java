package dev.deckhand.polaris.outbox;

import io.nats.client.Connection;
import io.nats.client.JetStreamApiException;
import io.nats.client.Message;
import io.nats.client.api.PublishAck;
import io.nats.client.impl.Headers;
import io.nats.client.impl.NatsMessage;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Publishes jobs and reads the stream's answers. It asks the stream to take a job only if its subject is free, which
 * makes publishing the same job again harmless.
 */
public final class JobPublisher {
  static final String STREAM = "JOBS";

  private static final int NO_RESPONDERS = 503;
  private static final int ACCOUNT_RESOURCES = 10002;
  private static final int INSUFFICIENT_RESOURCES = 10023;
  private static final int RESOURCE_LIMITS = 10047;
  private static final int STREAM_NOT_MATCH = 10060;
  private static final int WRONG_LAST_SEQUENCE = 10071;
  // three different limits share this code, and only the words tell a job that is safe from one that is lost
  private static final int STORE_FAILED = 10077;
  // of a replicated stream, while another publish on the subject is proposed: that one may still be lost, and only once
  // it is committed is the answer 10071
  private static final int WRONG_LAST_SEQUENCE_NO_NUMBER = 10164;
  private static final String SET_UP = "create the streams with \"worker setup\", or switch JetStream on";

  private static final Published INBOX_DENIED = new Published(PublishAnswer.DENIED, NatsLink.INBOX_FIX);
  private static final Duration CLIENT_ROUND = Duration.ofSeconds(10);

  private final NatsLink nats;

  public JobPublisher(NatsLink nats) {
    this.nats = nats;
  }

  /** Publishes and waits for the answer, at most as long as the settings of the connection say. Never throws. */
  public Published publish(PurgeJob job) {
    Published published = send(job);
    return new Published(published.answer(), nats.scrub(published.detail()));
  }

  private Published send(PurgeJob job) {
    Optional<Connection> connection = nats.connection();
    if (connection.isEmpty()) {
      return new Published(PublishAnswer.AWAY, "NATS is not connected");
    }
    if (nats.inboxDenied()) {
      return INBOX_DENIED;
    }
    String subject = job.subject();
    long begun = System.nanoTime();
    try {
      Message answer =
          connection
              .get()
              // the client's own time limit looks like "no responders"; it must not come before ours
              .requestWithTimeout(message(job, subject), nats.publishTimeout().multipliedBy(2).plus(CLIENT_ROUND))
              .get(nats.publishTimeout().toNanos(), TimeUnit.NANOSECONDS);
      if (answer.isStatusMessage()) {
        return status(answer.getStatus().getCode(), answer.getStatus().getMessageWithCode());
      }
      new PublishAck(answer);
      return Published.of(PublishAnswer.QUEUED);
    } catch (JetStreamApiException e) {
      return refusal(e);
    } catch (CancellationException e) {
      // the client cancels requests that no one answers, and those under way when the connection breaks
      return nats.connected()
          ? status(NO_RESPONDERS, "no responders")
          : new Published(PublishAnswer.UNKNOWN, "the connection broke");
    } catch (TimeoutException e) {
      if (nats.inboxDenied()) {
        return INBOX_DENIED;
      }
      return nats.deniedSince(subject, begun)
          ? new Published(PublishAnswer.DENIED, "the account may not publish; allow it jobs.purge.> and jobs.purge-view.>")
          : new Published(PublishAnswer.UNKNOWN, "no answer in " + nats.publishTimeout());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return new Published(PublishAnswer.UNKNOWN, "interrupted");
    } catch (ExecutionException | IOException e) {
      return new Published(PublishAnswer.UNKNOWN, e.toString());
    } catch (IllegalArgumentException e) {
      return new Published(PublishAnswer.REFUSED, e.getMessage());
    } catch (IllegalStateException e) {
      return new Published(PublishAnswer.AWAY, e.getMessage());
    }
  }

  private static Message message(PurgeJob job, String subject) {
    return NatsMessage.builder()
        .subject(subject)
        .headers(
            new Headers()
                .put("Nats-Expected-Last-Subject-Sequence", "0")
                .put("Nats-Expected-Stream", STREAM)
                .put("Job-Id", header(job.id()))
                .put("Job-Kind", job.kind())
                .put("Job-Version", Integer.toString(PurgeJob.VERSION)))
        .data(job.json())
        .build();
  }

  // the client takes no other characters in headers than printable ASCII, and realms may have some
  private static String header(String value) {
    return value.chars().allMatch(c -> c > 0x1f && c < 0x7f) ? value : Subject.escape(value);
  }

  private static Published status(int code, String text) {
    return code == NO_RESPONDERS
        ? new Published(PublishAnswer.NO_STREAM, "no stream takes the job; " + SET_UP)
        : new Published(PublishAnswer.UNKNOWN, text);
  }

  private static Published refusal(JetStreamApiException e) {
    String text = e.getErrorDescription();
    return switch (e.getApiErrorCode()) {
      case WRONG_LAST_SEQUENCE -> Published.of(PublishAnswer.ALREADY_QUEUED);
      case WRONG_LAST_SEQUENCE_NO_NUMBER -> Published.UNDECIDED;
      case STORE_FAILED ->
          text != null && text.contains("per subject")
              ? Published.of(PublishAnswer.ALREADY_QUEUED)
              : full(text);
      case ACCOUNT_RESOURCES, INSUFFICIENT_RESOURCES, RESOURCE_LIMITS -> full(text);
      case STREAM_NOT_MATCH ->
          new Published(PublishAnswer.NO_STREAM, "another stream than " + STREAM + " takes the subject; " + SET_UP);
      default -> new Published(
              PublishAnswer.REFUSED, text + " (" + e.getApiErrorCode() + "); look at the limits of the stream " + STREAM);
    };
  }

  private static Published full(String text) {
    return new Published(PublishAnswer.FULL, text + "; give the stream room, or start workers");
  }
}
