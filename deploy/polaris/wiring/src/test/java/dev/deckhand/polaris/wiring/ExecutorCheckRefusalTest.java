package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.deckhand.polaris.server.ExecutorCheck;
import io.quarkus.runtime.StartupEvent;
import io.quarkus.test.component.QuarkusComponentTest;
import io.quarkus.test.component.TestConfigProperty;
import jakarta.enterprise.event.Event;
import jakarta.inject.Inject;
import org.junit.jupiter.api.Test;

/** The same where our beans were not found, as without the bean index: only the stock executor is there. */
@QuarkusComponentTest({ExecutorCheck.class, Server.StockExecutor.class})
class ExecutorCheckRefusalTest {
  @Inject Event<StartupEvent> started;

  @Test
  void theServerRefusesToStartAndSaysWhy() {
    assertThatThrownBy(() -> started.fire(new StartupEvent()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(Server.StockExecutor.class.getName())
        .hasMessageContaining("META-INF/jandex.idx")
        .hasMessageContaining("deckhand.purge.enabled=false");
  }

  @Test
  @TestConfigProperty(key = "deckhand.purge.enabled", value = "false")
  void switchedOffItStartsAsAnyPolaris() {
    assertThatCode(() -> started.fire(new StartupEvent())).doesNotThrowAnyException();
  }
}
