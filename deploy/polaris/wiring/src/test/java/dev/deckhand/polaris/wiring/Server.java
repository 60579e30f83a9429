package dev.deckhand.polaris.wiring;

import dev.deckhand.polaris.outbox.RealMetaStore;
import io.quarkus.arc.ClientProxy;
import jakarta.enterprise.context.ApplicationScoped;
import org.apache.polaris.core.context.CallContext;
import org.apache.polaris.service.task.TaskExecutor;

/** What a Polaris server has beside our beans, for tests in the container. */
final class Server {
  private Server() {}

  /** Another executor bean, as the built-in one is. */
  @ApplicationScoped
  static class StockExecutor implements TaskExecutor {
    @Override
    public void addTaskHandlerContext(long taskEntityId, CallContext callContext) {
      throw new AssertionError("the stock executor got task " + taskEntityId);
    }
  }

  static Class<?> classOf(Object bean) {
    return ClientProxy.unwrap(bean).getClass();
  }

  static RealMetaStore metaStore() {
    return new RealMetaStore(RealMetaStore.Kind.TRANSACTIONAL);
  }
}
