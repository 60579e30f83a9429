package queue

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// Difference is one setting of a stream, bucket or consumer that is not what
// this version wants.
type Difference struct {
	// Asset is the stream's name, or JOBS/<kind> for a consumer.
	Asset string `json:"asset"`
	// Field as NATS names it in its JSON.
	Field string `json:"field"`
	Found string `json:"found"`
	Want  string `json:"want"`
	// Fatal differences break a promise: workers do not run with them. The others
	// are an operator's right.
	Fatal bool `json:"fatal"`
	// Fixed settings cannot be changed by JetStream: the asset must be removed and
	// created anew.
	Fixed bool `json:"fixed,omitempty"`
}

// String is a sentence, which for a fixed setting says what to do.
func (d Difference) String() string {
	sentence := fmt.Sprintf("%s: %s is %s, want %s", d.Asset, d.Field, d.Found, d.Want)
	if !d.Fixed {
		return sentence
	}
	remove := "empty it, remove it with \"nats stream rm " + d.Asset + "\""
	if stream, consumer, found := strings.Cut(d.Asset, "/"); found {
		remove = fmt.Sprintf("remove it with \"nats consumer rm %s %s\"", stream, consumer)
	}
	return sentence + ", and cannot be changed: " + remove + ", then run \"worker setup\""
}

// Change tells of a difference that was overwritten.
func (d Difference) Change() string {
	return fmt.Sprintf("%s: %s %s → %s", d.Asset, d.Field, d.Found, d.Want)
}

// field is a difference before it has an asset, and how to undo it.
type field[C any] struct {
	Difference
	apply func(found *C, want C)
}

// overwrite changes in config what can be changed; the rest stays different.
func overwrite[C any](config *C, want C, fields []field[C]) (changed, rest []field[C]) {
	for _, f := range fields {
		if f.Fixed {
			rest = append(rest, f)
			continue
		}
		f.apply(config, want)
		changed = append(changed, f)
	}
	return changed, rest
}

// cannotChange marks the difference of a field, if there is one, as fixed.
func cannotChange[C any](fields []field[C], name string) {
	for i := range fields {
		if fields[i].Field == name {
			fields[i].Fixed = true
		}
	}
}

func differencesOf[C any](asset string, fields []field[C]) []Difference {
	var out []Difference
	for _, f := range fields {
		f.Asset = asset
		out = append(out, f.Difference)
	}
	return out
}

func fatalOnly(differences []Difference) []Difference {
	return slices.DeleteFunc(slices.Clone(differences), func(d Difference) bool { return !d.Fatal })
}

// mismatch is the error for fatal differences, nil for none.
func mismatch(differences []Difference) error {
	fatal := fatalOnly(differences)
	if len(fatal) == 0 {
		return nil
	}
	sentences := make([]string, len(fatal))
	for i, d := range fatal {
		sentences[i] = d.String()
	}
	if slices.ContainsFunc(fatal, func(d Difference) bool { return !d.Fixed }) {
		sentences = append(sentences, "look at it, then run \"worker setup --update-streams\"")
	}
	return fmt.Errorf("%w: %s", ErrMismatch, strings.Join(sentences, "; "))
}

type streamConfig = jetstream.StreamConfig

// streamFields lists how a stream differs from the wanted one. ackWait is the
// configured one, that the lease's time to live must not be shorter than.
func streamFields(found, want streamConfig, ackWait time.Duration) []field[streamConfig] {
	var out []field[streamConfig]
	compare := func(name string, fatal bool, get func(streamConfig) string, apply func(*streamConfig, streamConfig)) {
		if f, w := get(found), get(want); f != w {
			out = append(out, field[streamConfig]{Difference{Field: name, Found: f, Want: w, Fatal: fatal}, apply})
		}
	}
	queue, letters := want.Name == jobs.StreamName, want.Name == deadStream
	locks := want.Name == locksStream
	shards := want.Name == shardsStream
	kept := queue || letters || shards // none of them may lose a message by itself

	compare("subjects", true, func(c streamConfig) string { return strings.Join(c.Subjects, ",") },
		func(f *streamConfig, w streamConfig) { f.Subjects = w.Subjects })
	compare("retention", true, func(c streamConfig) string { return c.Retention.String() },
		func(f *streamConfig, w streamConfig) { f.Retention = w.Retention })
	compare("discard", kept, func(c streamConfig) string { return c.Discard.String() },
		func(f *streamConfig, w streamConfig) { f.Discard = w.Discard })
	compare("discard_new_per_subject", kept, func(c streamConfig) string { return fmt.Sprint(c.DiscardNewPerSubject) },
		func(f *streamConfig, w streamConfig) { f.DiscardNewPerSubject = w.DiscardNewPerSubject })
	compare("max_msgs_per_subject", queue, func(c streamConfig) string { return limit(c.MaxMsgsPerSubject) },
		func(f *streamConfig, w streamConfig) { f.MaxMsgsPerSubject = w.MaxMsgsPerSubject })
	compare("max_msgs", false, func(c streamConfig) string { return limit(c.MaxMsgs) },
		func(f *streamConfig, w streamConfig) { f.MaxMsgs = w.MaxMsgs })
	compare("max_age", kept || locks && found.MaxAge > 0 && found.MaxAge < ackWait || locks && found.MaxAge == 0,
		func(c streamConfig) string { return age(c.MaxAge) },
		func(f *streamConfig, w streamConfig) { setMaxAge(f, w.MaxAge) })
	compare("max_bytes", false, func(c streamConfig) string { return limit(c.MaxBytes) },
		func(f *streamConfig, w streamConfig) { f.MaxBytes = w.MaxBytes })
	// A dead letter that does not fit would keep its job queued for ever.
	compare("max_msg_size", !queue && found.MaxMsgSize > 0 && found.MaxMsgSize < want.MaxMsgSize,
		func(c streamConfig) string { return limit(int64(c.MaxMsgSize)) },
		func(f *streamConfig, w streamConfig) { f.MaxMsgSize = w.MaxMsgSize })
	compare("storage", true, func(c streamConfig) string { return c.Storage.String() },
		func(f *streamConfig, w streamConfig) { f.Storage = w.Storage })
	compare("num_replicas", false, func(c streamConfig) string { return fmt.Sprint(c.Replicas) },
		func(f *streamConfig, w streamConfig) { f.Replicas = w.Replicas })
	compare("no_ack", true, func(c streamConfig) string { return fmt.Sprint(c.NoAck) },
		func(f *streamConfig, w streamConfig) { f.NoAck = w.NoAck })
	compare("sealed", true, func(c streamConfig) string { return fmt.Sprint(c.Sealed) },
		func(f *streamConfig, w streamConfig) { f.Sealed = w.Sealed })
	compare("deny_delete", queue || letters, func(c streamConfig) string { return fmt.Sprint(c.DenyDelete) },
		func(f *streamConfig, w streamConfig) { f.DenyDelete = w.DenyDelete })
	compare("allow_direct", shards, func(c streamConfig) string { return fmt.Sprint(c.AllowDirect) },
		func(f *streamConfig, w streamConfig) { f.AllowDirect = w.AllowDirect })
	compare("allow_msg_ttl", shards, func(c streamConfig) string { return fmt.Sprint(c.AllowMsgTTL) },
		func(f *streamConfig, w streamConfig) { f.AllowMsgTTL = w.AllowMsgTTL })
	compare("compression", false, func(c streamConfig) string { return c.Compression.String() },
		func(f *streamConfig, w streamConfig) { f.Compression = w.Compression })

	cannotChange(out, "storage")
	if found.Retention == jetstream.WorkQueuePolicy || want.Retention == jetstream.WorkQueuePolicy {
		cannotChange(out, "retention")
	}
	if found.Sealed {
		cannotChange(out, "sealed")
	}
	if found.DenyDelete {
		cannotChange(out, "deny_delete")
	}
	return out
}

// setMaxAge keeps below it what the server wants below it.
func setMaxAge(c *streamConfig, maxAge time.Duration) {
	c.MaxAge = maxAge
	if maxAge > 0 {
		c.Duplicates = min(c.Duplicates, maxAge)
		c.SubjectDeleteMarkerTTL = min(c.SubjectDeleteMarkerTTL, maxAge)
	}
}

type consumerConfig = jetstream.ConsumerConfig

// consumerFields lists how a consumer differs from the wanted one. A job must
// not be out of hands for longer than a lease lives, or the lease excludes
// nothing: an AckWait above leaseTTL is fatal.
func consumerFields(found, want consumerConfig, leaseTTL time.Duration) []field[consumerConfig] {
	var out []field[consumerConfig]
	compare := func(name string, fatal bool, get func(consumerConfig) string, apply func(*consumerConfig, consumerConfig)) {
		if f, w := get(found), get(want); f != w {
			out = append(out, field[consumerConfig]{Difference{Field: name, Found: f, Want: w, Fatal: fatal}, apply})
		}
	}
	compare("filter_subject", true, func(c consumerConfig) string { return strings.Join(append(c.FilterSubjects, c.FilterSubject), ",") },
		func(f *consumerConfig, w consumerConfig) { f.FilterSubject, f.FilterSubjects = w.FilterSubject, nil })
	compare("ack_policy", true, func(c consumerConfig) string { return c.AckPolicy.String() },
		func(f *consumerConfig, w consumerConfig) { f.AckPolicy = w.AckPolicy })
	compare("deliver_policy", true, func(c consumerConfig) string { return c.DeliverPolicy.String() },
		func(f *consumerConfig, w consumerConfig) { f.DeliverPolicy = w.DeliverPolicy })
	compare("ack_wait", found.AckWait > leaseTTL, func(c consumerConfig) string { return c.AckWait.String() },
		func(f *consumerConfig, w consumerConfig) { f.AckWait = w.AckWait })
	compare("max_deliver", true, func(c consumerConfig) string { return limit(int64(c.MaxDeliver)) },
		func(f *consumerConfig, w consumerConfig) { f.MaxDeliver = w.MaxDeliver })
	compare("backoff", true, func(c consumerConfig) string { return fmt.Sprint(c.BackOff) },
		func(f *consumerConfig, w consumerConfig) { f.BackOff = w.BackOff })
	compare("headers_only", true, func(c consumerConfig) string { return fmt.Sprint(c.HeadersOnly) },
		func(f *consumerConfig, w consumerConfig) { f.HeadersOnly = w.HeadersOnly })
	compare("max_ack_pending", false, func(c consumerConfig) string { return limit(int64(c.MaxAckPending)) },
		func(f *consumerConfig, w consumerConfig) { f.MaxAckPending = w.MaxAckPending })
	compare("max_waiting", false, func(c consumerConfig) string { return limit(int64(c.MaxWaiting)) },
		func(f *consumerConfig, w consumerConfig) { f.MaxWaiting = w.MaxWaiting })

	cannotChange(out, "ack_policy")
	cannotChange(out, "deliver_policy")
	cannotChange(out, "max_waiting")
	return out
}

// limit prints a limit; NATS writes none as 0 or -1.
func limit(n int64) string {
	if n <= 0 {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

func age(d time.Duration) string {
	if d <= 0 {
		return "unlimited"
	}
	return d.String()
}
