package dev.deckhand.polaris.outbox;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** A log that says the same in every sweep is a log that nobody reads. */
class ComplaintsTest {
  private static final Mapped.Unusable UNUSABLE = new Mapped.Unusable("it is broken", "mend it");
  private static final Published NO_STREAM = new Published(PublishAnswer.NO_STREAM, "none");
  private static final Published REFUSED = new Published(PublishAnswer.REFUSED, "too large");

  private final Complaints complaints = new Complaints();

  @Test
  void aBadRowIsNamedOnce() {
    assertThat(complaints.unusable("r", 1, UNUSABLE)).isTrue();
    assertThat(complaints.unusable("r", 1, UNUSABLE)).isFalse();
    assertThat(complaints.unusable("r", 2, UNUSABLE)).isTrue();
  }

  @Test
  void whatAllRowsSufferIsSaidOnceAndAgainOnlyAfterASuccess() {
    assertThat(complaints.unpublished("r", 1, NO_STREAM)).isTrue();
    assertThat(complaints.unpublished("r", 2, NO_STREAM)).isFalse();
    complaints.published(1);
    assertThat(complaints.unpublished("r", 3, NO_STREAM)).isTrue();
  }

  @Test
  void aRefusedJobIsNamedOnceForEachRow() {
    assertThat(complaints.unpublished("r", 1, REFUSED)).isTrue();
    assertThat(complaints.unpublished("r", 1, REFUSED)).isFalse();
    assertThat(complaints.unpublished("r", 2, REFUSED)).isTrue();
  }
}
