package dev.deckhand.polaris.server;

import dev.deckhand.polaris.wiring.DelegatingTaskExecutor;
import io.quarkus.arc.ClientProxy;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import org.apache.polaris.service.task.TaskExecutor;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Refuses to start a server that purges by itself although it should delegate. A wiring jar without its bean index is
 * built, started and served without a word, and the built-in executor then deletes files in this process. This bean is in
 * the application itself, whose classes are always indexed.
 */
@ApplicationScoped
public class ExecutorCheck {
  private final TaskExecutor executor;
  private final boolean enabled;

  @Inject
  public ExecutorCheck(
      TaskExecutor executor,
      @ConfigProperty(name = "deckhand.purge.enabled", defaultValue = "true") boolean enabled) {
    this.executor = executor;
    this.enabled = enabled;
  }

  /** Runs before the server takes requests; what it throws ends the start. */
  void check(@Observes @Priority(1) StartupEvent event) {
    Class<?> active = ClientProxy.unwrap(executor).getClass();
    if (enabled && !DelegatingTaskExecutor.class.isAssignableFrom(active)) {
      throw new IllegalStateException(
          "Deckhand is enabled, but Polaris' task executor is "
              + active.getName()
              + ", which deletes files in this process. The wiring jar lacks META-INF/jandex.idx, or another bean has a"
              + " higher priority. Build the server with deploy/polaris/pom.xml, or set deckhand.purge.enabled=false");
    }
  }
}
