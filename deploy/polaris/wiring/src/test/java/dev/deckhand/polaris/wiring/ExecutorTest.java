package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.verifyNoInteractions;
import static org.mockito.Mockito.when;

import dev.deckhand.polaris.outbox.Outbox;
import io.quarkus.test.InjectMock;
import io.quarkus.test.component.QuarkusComponentTest;
import io.quarkus.test.component.TestConfigProperty;
import jakarta.inject.Inject;
import org.apache.polaris.core.PolarisCallContext;
import org.apache.polaris.core.auth.PolarisPrincipal;
import org.apache.polaris.core.context.CallContext;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.apache.polaris.service.task.TaskExecutor;
import org.apache.polaris.service.task.TaskExecutorImpl;
import org.junit.jupiter.api.Test;

/** ArC, the container of Quarkus, with our executor and a rival; NATS is away. */
@QuarkusComponentTest({DelegatingTaskExecutor.class, Delegation.class, Server.StockExecutor.class})
@TestConfigProperty(key = "deckhand.nats.servers", value = "nats://127.0.0.1:1")
class ExecutorTest {
  @Inject TaskExecutor chosen;
  @Inject Delegation delegation;
  @InjectMock TaskExecutorImpl builtIn;
  @InjectMock PolarisPrincipal principal;
  @InjectMock MetaStoreManagerFactory factory;

  @Test
  void ourExecutorIsTheOneThatIsInjected() {
    assertThat(Server.classOf(chosen)).isEqualTo(DelegatingTaskExecutor.class);
  }

  @Test
  void whileNatsIsAwayADropOnlyRemembersTheRow() {
    PolarisCallContext context = Server.metaStore().context();
    when(principal.getName()).thenReturn("alice");

    chosen.addTaskHandlerContext(7, context);

    assertThat(delegation.sum(Outbox::waiting)).isEqualTo(1);
    verifyNoInteractions(builtIn, factory);
  }

  @Test
  void aDropNeverFailsBecauseOfUs() {
    CallContext broken = mock(CallContext.class);
    when(broken.copy()).thenThrow(new IllegalStateException("broken")).thenThrow(new NoClassDefFoundError("missing"));

    assertThatCode(() -> chosen.addTaskHandlerContext(7, broken)).doesNotThrowAnyException();

    assertThatCode(() -> chosen.addTaskHandlerContext(7, broken)).doesNotThrowAnyException();
  }

  @Test
  @TestConfigProperty(key = "deckhand.purge.enabled", value = "false")
  void switchedOffTheBuiltInExecutorGetsTheTask() {
    CallContext context = mock(CallContext.class);

    chosen.addTaskHandlerContext(7, context);

    verify(builtIn).addTaskHandlerContext(7, context);
    assertThat(delegation.connected()).isFalse();
  }
}
