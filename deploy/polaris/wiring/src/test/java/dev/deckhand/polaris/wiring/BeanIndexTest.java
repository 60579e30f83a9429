package dev.deckhand.polaris.wiring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.polaris.service.task.TaskExecutor;
import org.jboss.jandex.ClassInfo;
import org.jboss.jandex.DotName;
import org.jboss.jandex.IndexReader;
import org.junit.jupiter.api.Test;

/** Quarkus looks into a jar only if it carries this index; without it the stock executor purges, and nothing says so. */
class BeanIndexTest {
  // by path: other jars on the class path have an index of the same name
  private static final Path INDEX = Path.of("target", "classes", "META-INF", "jandex.idx");

  @Test
  void theIndexNamesOurExecutorAsAnAlternativeWithPriority() throws IOException {
    assertThat(INDEX).exists();
    try (InputStream in = Files.newInputStream(INDEX)) {
      ClassInfo bean = new IndexReader(in).read().getClassByName(DelegatingTaskExecutor.class);
      assertThat(bean.interfaceNames()).contains(DotName.createSimple(TaskExecutor.class));
      assertThat(bean.hasDeclaredAnnotation("jakarta.enterprise.inject.Alternative")).isTrue();
      assertThat(bean.declaredAnnotation("jakarta.annotation.Priority").value().asInt()).isEqualTo(100);
    }
  }

  @Test
  void theIndexNamesEachBean() throws IOException {
    try (InputStream in = Files.newInputStream(INDEX)) {
      var index = new IndexReader(in).read();
      for (Class<?> bean :
          new Class<?>[] {Delegation.class, SweepTimer.class, OutboxHealth.class, OutboxMetrics.class, DeckhandConfig.class}) {
        assertThat(index.getClassByName(bean)).as(bean.getSimpleName()).isNotNull();
      }
    }
  }
}
