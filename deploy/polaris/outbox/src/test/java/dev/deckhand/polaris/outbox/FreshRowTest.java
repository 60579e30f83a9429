package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Rows handed over right after the drop. */
class FreshRowTest extends OutboxFixture {
  @ParameterizedTest
  @EnumSource
  void aDropWithPurgeBecomesOneMessageAndTheRowGoes(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    long row = polaris.dropWithPurge("orders", "u-1");

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), row, "alice")).isTrue();

    assertThat(new String(message(1).getData(), "UTF-8"))
        .startsWith("{\"v\":1,\"id\":\"realm-1." + row + "\",\"kind\":\"purge\",\"realm\":\"realm-1\",\"catalog\":\"lake\"")
        .contains("\"requested_by\":\"alice\"");
    assertThat(polaris.taskRow(row)).isNull();
  }

  @ParameterizedTest
  @EnumSource
  void aDroppedViewBecomesAPurgeOfTheView(RealMetaStore.Kind kind) throws Exception {
    var polaris = new RealMetaStore(kind);
    long row = polaris.dropView("recent");

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), row, null)).isTrue();

    assertThat(message(1).getSubject()).startsWith("jobs.purge-view.realm-1.lake.sales.recent.");
    assertThat(polaris.taskRow(row)).isNull();
  }

  @Test
  void twoRowsOfOneTableAreOneJob() {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);
    long first = polaris.dropWithPurge("orders", "u-1");
    long second = polaris.dropWithPurge("orders", "u-1");

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), first, null)).isTrue();
    assertThat(outbox(AT_ONCE).handOver(polaris.store(), second, null)).isTrue();

    assertThat(stored()).isEqualTo(1);
    assertThat(polaris.taskRows()).isEmpty();
  }

  @Test
  void aRowThatIsGoneIsNoError() {
    var polaris = new RealMetaStore(RealMetaStore.Kind.ATOMIC);

    assertThat(outbox(AT_ONCE).handOver(polaris.store(), 12345, null)).isFalse();

    assertThat(status.lastError()).isEmpty();
  }
}
