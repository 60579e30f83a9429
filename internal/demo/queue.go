package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// withQueue connects to NATS as the nats CLI does and hands over JetStream.
func (s *stage) withQueue(ctx context.Context, look func(context.Context, jetstream.JetStream) error) error {
	conn, err := nats.Connect(s.nats, nats.Name("demo"))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.nats, err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return fmt.Errorf("use JetStream: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return look(ctx, js)
}

// pausePurges stops workers from taking purges, so that one can be seen waiting.
func (s *stage) pausePurges(ctx context.Context) error {
	command("nats consumer pause JOBS purge 1h --force")
	return s.pauseFor(ctx, time.Hour)
}

// resumePurges lets the pause end in a moment. "nats consumer resume" ends it as
// well, but the server then wakes a waiting worker only with the next heartbeat
// of its request, up to 15 s later.
func (s *stage) resumePurges(ctx context.Context) error {
	command("nats consumer pause JOBS purge 1s --force")
	return s.pauseFor(ctx, time.Second)
}

func (s *stage) pauseFor(ctx context.Context, d time.Duration) error {
	return s.withQueue(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		_, err := js.PauseConsumer(ctx, "JOBS", "purge", time.Now().Add(d))
		return err
	})
}

// showQueue tells what the stream JOBS holds and fails when that is not one job.
func (s *stage) showQueue(ctx context.Context) error {
	command("nats stream subjects JOBS")
	return s.withQueue(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		stream, err := js.Stream(ctx, "JOBS")
		if err != nil {
			return fmt.Errorf("find stream: %w", err)
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter("jobs.>"))
		if err != nil {
			return fmt.Errorf("ask for the stream: %w", err)
		}
		for _, subject := range slices.Sorted(maps.Keys(info.State.Subjects)) {
			quote(subject)
		}
		if info.State.Msgs != 1 {
			return fmt.Errorf("the stream JOBS holds %d jobs instead of one", info.State.Msgs)
		}
		quote(fmt.Sprintf("1 job, %d bytes", info.State.Bytes))
		return nil
	})
}

// queueIsEmpty fails when a job is left.
func (s *stage) queueIsEmpty(ctx context.Context) error {
	return s.withQueue(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		stream, err := js.Stream(ctx, "JOBS")
		if err != nil {
			return fmt.Errorf("find stream: %w", err)
		}
		if left := stream.CachedInfo().State.Msgs; left != 0 {
			return fmt.Errorf("%d jobs are left in the stream JOBS", left)
		}
		return nil
	})
}

// textReceipt is a receipt of some kind, to be read and shown.
type textReceipt interface{ WriteText(io.Writer) error }

// showResult prints the record of a job's end, and fails when there is none or
// when it tells of a failure.
func (s *stage) showResult(ctx context.Context, tail string, receipt textReceipt) error {
	subject := "results." + tail
	command("nats stream get RESULTS --last-for " + subject)
	return s.withQueue(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		stream, err := js.Stream(ctx, "RESULTS")
		if err != nil {
			return fmt.Errorf("find stream: %w", err)
		}
		// The root file goes a moment before the result is written.
		message, err := stream.GetLastMsgForSubject(ctx, subject)
		for errors.Is(err, jetstream.ErrMsgNotFound) {
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return fmt.Errorf("wait for the result of %s: %w", tail, err)
			}
			message, err = stream.GetLastMsgForSubject(ctx, subject)
		}
		if err != nil {
			return fmt.Errorf("get result: %w", err)
		}
		var result jobs.Result
		if err := json.Unmarshal(message.Data, &result); err != nil {
			return fmt.Errorf("decode result: %w", err)
		}
		if err := json.Unmarshal(result.Receipt, receipt); err != nil {
			return fmt.Errorf("decode receipt: %w", err)
		}
		var text bytes.Buffer
		if err := receipt.WriteText(&text); err != nil {
			return fmt.Errorf("print receipt: %w", err)
		}
		quote(fmt.Sprintf("{… %d bytes of JSON, in short:}\n%s", len(message.Data), text.String()))
		if result.Outcome != jobs.Completed {
			return fmt.Errorf("the job ended %s: %s", result.Outcome, result.Reason)
		}
		return nil
	})
}
