package dev.deckhand.polaris.wiring;

import dev.deckhand.polaris.outbox.Outbox;
import dev.deckhand.polaris.outbox.PublishAnswer;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Instance;
import jakarta.inject.Inject;
import java.util.Locale;

/** The same figures on /q/metrics, beside Polaris' own. */
@ApplicationScoped
public class OutboxMetrics {
  private final Delegation delegation;
  private final Instance<MeterRegistry> registry;

  @Inject
  public OutboxMetrics(Delegation delegation, Instance<MeterRegistry> registry) {
    this.delegation = delegation;
    this.registry = registry;
  }

  void register(@Observes StartupEvent event) {
    if (delegation.enabled() && registry.isResolvable()) {
      bind(registry.get());
    }
  }

  void bind(MeterRegistry to) {
    Gauge.builder("deckhand.outbox.rows", delegation, it -> it.sum(Outbox::waiting))
        .tag("state", "waiting")
        .description("Task rows in the metastore, as this server last saw them")
        .register(to);
    Gauge.builder("deckhand.outbox.rows", delegation, it -> it.sum(Outbox::unusable)).tag("state", "unusable").register(to);
    Gauge.builder("deckhand.outbox.rows", delegation, it -> it.sum(Outbox::foreign)).tag("state", "not_ours").register(to);
    Gauge.builder("deckhand.outbox.oldest.row", delegation, it -> it.oldestAge().toMillis() / 1000.0)
        .baseUnit("seconds")
        .description("Age of the oldest row that waits to be handed over")
        .register(to);
    Gauge.builder("deckhand.nats.connected", delegation, it -> it.connected() ? 1 : 0)
        .description("Whether this server is connected to NATS")
        .register(to);
    for (PublishAnswer answer : PublishAnswer.values()) {
      FunctionCounter.builder("deckhand.outbox.publishes", delegation, it -> it.status().count(answer))
          .tag("answer", answer.name().toLowerCase(Locale.ROOT))
          .description("Publishes by the answer of the stream")
          .register(to);
    }
    FunctionCounter.builder("deckhand.outbox.sweeps", delegation, it -> it.status().sweeps())
        .description("Sweeps that looked at all task rows of a realm; one that stands still while rows wait is stuck")
        .register(to);
    FunctionCounter.builder("deckhand.outbox.failures", delegation, it -> it.status().failures())
        .description("Calls to the metastore that failed")
        .register(to);
  }
}
