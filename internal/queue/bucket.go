package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bucketStore reads and writes one key-value bucket. It is a part of
// jetstream.KeyValue, in the layout of NATS ADR-8, that keeps the revision of a
// deleted key: jetstream's own Get hides it, and without it each write after a
// deletion costs another question.
type bucketStore struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	prefix string
}

// bucketEntry is the newest message of a key. A key that was deleted or has
// expired has a revision and no value.
type bucketEntry struct {
	key      string
	value    []byte
	revision uint64
	written  time.Time // by the server's clock
}

// get returns the entry of a key; a key that never was is the zero entry.
func (b bucketStore) get(ctx context.Context, key string) (bucketEntry, error) {
	msg, err := b.stream.GetLastMsgForSubject(ctx, b.prefix+key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return bucketEntry{key: key}, nil
	}
	if err != nil {
		return bucketEntry{}, err
	}
	return b.entry(msg), nil
}

func (b bucketStore) entry(msg *jetstream.RawStreamMsg) bucketEntry {
	entry := bucketEntry{key: msg.Subject[len(b.prefix):], revision: msg.Sequence, written: msg.Time}
	deleted := msg.Header.Get("KV-Operation") != "" || msg.Header.Get(jetstream.MarkerReasonHeader) != ""
	if !deleted {
		entry.value = msg.Data
	}
	return entry
}

// put writes a value if the key still has the revision, 0 for a key that never
// was. A lost race is an error that [isConflict] knows.
func (b bucketStore) put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	ack, err := b.js.PublishMsg(ctx, b.message(key, value), jetstream.WithExpectLastSequencePerSubject(revision))
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (b bucketStore) message(key string, value []byte) *nats.Msg {
	return &nats.Msg{Subject: b.prefix + key, Header: nats.Header{}, Data: value}
}

// create writes a value if the key has none.
func (b bucketStore) create(ctx context.Context, key string, value []byte) (uint64, error) {
	revision, err := b.put(ctx, key, value, 0)
	if !isConflict(err) {
		return revision, err
	}
	entry, getErr := b.get(ctx, key)
	if getErr != nil || entry.value != nil {
		return 0, err
	}
	return b.put(ctx, key, value, entry.revision)
}

// remove deletes a key if it still has the revision.
func (b bucketStore) remove(ctx context.Context, key string, revision uint64) error {
	_, err := b.js.PublishMsg(ctx, b.removal(key, revision))
	return err
}

// markerLife is how long a key that was removed with [bucketStore.expire] is
// remembered. It must be much longer than servers take to write down what their
// streams hold: three servers (2.15.2, R3) that were killed within a minute of the
// removal had the values again for which markers of one second had stood, and a
// plan that was forgotten was there again.
const markerLife = time.Hour

// expire deletes a key if it still has the revision, and lets the marker of that
// expire: for a bucket in which nothing else does. The bucket must allow it.
func (b bucketStore) expire(ctx context.Context, key string, revision uint64) error {
	msg := b.removal(key, revision)
	msg.Header.Set(jetstream.MsgTTLHeader, markerLife.String())
	_, err := b.js.PublishMsg(ctx, msg)
	return err
}

// removeUnheard deletes a key if it still has the revision, and does not ask
// whether that worked: for what would be harmless if it stayed.
func (b bucketStore) removeUnheard(key string, revision uint64) error {
	return b.js.Conn().PublishMsg(b.removal(key, revision))
}

func (b bucketStore) removal(key string, revision uint64) *nats.Msg {
	return &nats.Msg{Subject: b.prefix + key, Header: nats.Header{
		"KV-Operation":                      {"DEL"},
		jetstream.ExpectedLastSubjSeqHeader: {strconv.FormatUint(revision, 10)},
	}}
}
