package dev.deckhand.polaris.wiring;

import dev.deckhand.polaris.outbox.Outbox;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/**
 * Tells on /q/health what waits. It is never down: a Polaris without NATS serves as well as ever, and taking it out of
 * service would turn a delay of purges into an outage of the catalog.
 */
@Readiness
@ApplicationScoped
public class OutboxHealth implements HealthCheck {
  private final Delegation delegation;

  @Inject
  public OutboxHealth(Delegation delegation) {
    this.delegation = delegation;
  }

  @Override
  public HealthCheckResponse call() {
    HealthCheckResponseBuilder response =
        HealthCheckResponse.named("deckhand").up().withData("enabled", delegation.enabled());
    if (!delegation.enabled()) {
      return response.build();
    }
    response
        .withData("nats", delegation.connected() ? "connected" : "away")
        .withData("rows_waiting", delegation.sum(Outbox::waiting))
        .withData("oldest_row_seconds", delegation.oldestAge().toSeconds())
        .withData("rows_unusable", delegation.sum(Outbox::unusable))
        .withData("rows_not_ours", delegation.sum(Outbox::foreign));
    delegation
        .status()
        .lastError()
        .ifPresent(error -> response.withData("last_error", error.text()).withData("last_error_at", error.at().toString()));
    delegation.natsProblem().ifPresent(problem -> response.withData("nats_problem", problem));
    return response.build();
  }
}
