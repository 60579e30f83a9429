package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThatCode;

import dev.deckhand.polaris.server.ExecutorCheck;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.test.InjectMock;
import io.quarkus.test.component.QuarkusComponentTest;
import io.quarkus.test.component.TestConfigProperty;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import org.apache.polaris.core.auth.PolarisPrincipal;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.apache.polaris.service.task.TaskExecutorImpl;
import org.junit.jupiter.api.Test;

/** The start-up check of the server where our executor is the one in use. */
@QuarkusComponentTest({
  ExecutorCheck.class, DelegatingTaskExecutor.class, Delegation.class, Server.StockExecutor.class
})
@TestConfigProperty(key = "deckhand.nats.servers", value = "nats://127.0.0.1:1")
class ExecutorCheckTest {
  @Inject Event<StartupEvent> started;
  @InjectMock TaskExecutorImpl builtIn;
  @InjectMock PolarisPrincipal principal;
  @InjectMock MetaStoreManagerFactory factory;

  @Test
  void theServerStartsWithOurExecutor() {
    assertThatCode(() -> started.fire(new StartupEvent())).doesNotThrowAnyException();
  }
}
