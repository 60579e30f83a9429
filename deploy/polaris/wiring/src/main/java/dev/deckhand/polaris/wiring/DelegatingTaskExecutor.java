package dev.deckhand.polaris.wiring;

import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.context.ContextNotActiveException;
import jakarta.enterprise.inject.Alternative;
import jakarta.enterprise.inject.Instance;
import jakarta.inject.Inject;
import org.apache.polaris.core.PolarisCallContext;
import org.apache.polaris.core.auth.PolarisPrincipal;
import org.apache.polaris.core.context.CallContext;
import org.apache.polaris.service.task.TaskExecutor;
import org.apache.polaris.service.task.TaskExecutorImpl;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Replaces the executor that is built into Polaris. The request thread copies what it must from the request and returns;
 * it never waits for NATS, and a drop never fails because of us, since the row is written already.
 */
@Alternative
@Priority(100)
@ApplicationScoped
public class DelegatingTaskExecutor implements TaskExecutor {
  private static final Logger LOG = LoggerFactory.getLogger(DelegatingTaskExecutor.class);

  private final Delegation delegation;
  private final Instance<TaskExecutorImpl> builtIn;
  private final Instance<PolarisPrincipal> principal;

  @Inject
  public DelegatingTaskExecutor(
      Delegation delegation, Instance<TaskExecutorImpl> builtIn, Instance<PolarisPrincipal> principal) {
    this.delegation = delegation;
    this.builtIn = builtIn;
    this.principal = principal;
  }

  @Override
  public void addTaskHandlerContext(long taskEntityId, CallContext callContext) {
    if (!delegation.enabled()) {
      builtIn.get().addTaskHandlerContext(taskEntityId, callContext);
      return;
    }
    try {
      // the context is the request's, and ends with it
      PolarisCallContext context = callContext.copy().getPolarisCallContext();
      delegation.handOver(context, taskEntityId, requestedBy());
    } catch (Throwable e) {
      // also a class that is missing: the table is dropped, and the client must hear so
      LOG.warn("task {} was not handed over, the next sweep tries again: {}", taskEntityId, e.toString());
    }
  }

  private String requestedBy() {
    if (!principal.isResolvable()) {
      return null;
    }
    try {
      return principal.get().getName();
    } catch (ContextNotActiveException e) {
      return null; // dropped by the server itself
    }
  }
}
