package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/config"
	"deckhand/internal/queue"
)

const (
	// setupTimeout bounds one attempt to look at all streams and create some.
	setupTimeout = 30 * time.Second
	// setupRetry is the longest pause between attempts, setupSay how often the
	// log repeats what is waited for.
	setupRetry = 15 * time.Second
	setupSay   = time.Minute
)

// prepareQueue creates what is missing, if this connection may, and opens the
// queue, waiting while that can help.
func prepareQueue(ctx context.Context, nc *nats.Conn, cfg *config.Config, log *slog.Logger) (*queue.Queue, error) {
	js, err := broker.JetStream(nc, cfg.NATS)
	if err != nil {
		return nil, err
	}
	if err := createAssets(ctx, js, cfg.Worker.AckWait, log); err != nil {
		return nil, err
	}
	q, err := queue.OpenWhenReady(ctx, js, queue.Config{
		AckWait: cfg.Worker.AckWait, StallTimeout: cfg.Worker.StallTimeout, Drain: cfg.Worker.Drain,
	}, log)
	if err != nil && permanent(err) {
		return nil, command.Exit(command.Failed, err)
	}
	return q, err
}

// createAssets goes on until it succeeds, or until it is clear that someone else
// must do it or change something.
func createAssets(ctx context.Context, js jetstream.JetStream, ackWait time.Duration, log *slog.Logger) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval, retry.MaxElapsedTime = 200*time.Millisecond, setupRetry, 0
	said := time.Time{}
	err := backoff.RetryNotify(func() error {
		attempt, cancel := context.WithTimeout(ctx, setupTimeout)
		defer cancel()
		if err := broker.CheckInbox(attempt, js.Conn()); err != nil {
			return err
		}
		report, err := queue.Setup(attempt, js, queue.AssetsConfig{AckWait: ackWait})
		switch {
		case err == nil:
			if len(report.Created) > 0 {
				log.InfoContext(ctx, "created streams and buckets", slog.String("names", strings.Join(report.Created, ", ")))
			}
			if report.Hint != "" {
				log.WarnContext(ctx, "new streams have one copy", slog.String("hint", report.Hint))
			}
			for _, difference := range report.Differences {
				log.DebugContext(ctx, "stream differs from the default", slog.String("difference", difference.String()))
			}
			return nil
		case errors.Is(err, queue.ErrDenied):
			log.InfoContext(ctx, "this connection may not create streams; they are taken as they are", slog.Any("error", err))
			return nil
		case permanent(err):
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(retry, ctx), func(err error, _ time.Duration) {
		if time.Since(said) >= setupSay {
			said = time.Now()
			log.WarnContext(ctx, "waiting until the streams can be created", slog.Any("error", err))
		}
	})
	if err != nil {
		return fmt.Errorf("create streams: %w", err)
	}
	return nil
}

// permanent reports an error that waiting does not help.
func permanent(err error) bool {
	return errors.Is(err, queue.ErrServerTooOld) || errors.Is(err, queue.ErrMismatch) || errors.Is(err, nats.ErrConnectionClosed)
}
