package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"deckhand/jobs"
)

// SetupReport is what [Setup] did and found.
type SetupReport struct {
	// Created are the names of the assets that were missing.
	Created []string
	// Changed are the settings that were overwritten, with what they were and are.
	Changed []Difference
	// Differences are the settings that are left as they were.
	Differences []Difference
	// Hint is advice about what was created, one line; empty for none.
	Hint string
}

// Setup creates the streams, buckets and consumers that are missing. What exists
// in another configuration is reported and left as it is, unless cfg.Update is
// set and JetStream can change it. Repeating it is harmless. The report is filled as far as Setup came, also
// beside an error.
//
// The errors wrap [ErrUnreachable], [ErrServerTooOld], [ErrJetStreamOff],
// [ErrAccountFull] or [ErrDenied].
func Setup(ctx context.Context, js jetstream.JetStream, cfg AssetsConfig) (SetupReport, error) {
	s := assetSetup{js: js}
	if err := cfg.Validate(); err != nil {
		return s.report, fmt.Errorf("check assets' configuration: %w", err)
	}
	if err := checkServer(js.Conn()); err != nil {
		return s.report, err
	}
	found, err := find(ctx, js)
	if err != nil {
		return s.report, err
	}
	s.found, s.config = found, found.settle(cfg)
	for _, want := range wantedStreams(s.config, atLeast(js.Conn(), 2, 12)) {
		if err := s.stream(ctx, want); err != nil {
			return s.report, err
		}
	}
	for _, kind := range jobs.Kinds() {
		if err := s.consumer(ctx, wantedConsumer(kind, s.config)); err != nil {
			return s.report, err
		}
	}
	return s.report, nil
}

func consumerName(kind jobs.Kind) string { return jobs.StreamName + "/" + string(kind) }

// assetSetup is one call of [Setup].
type assetSetup struct {
	js     jetstream.JetStream
	config AssetsConfig
	found  *foundAssets
	report SetupReport
}

func (s *assetSetup) stream(ctx context.Context, want jetstream.StreamConfig) error {
	stream := s.found.streams[want.Name]
	if stream == nil {
		made, err := s.js.CreateStream(ctx, want)
		if err == nil {
			s.created(want.Name)
			s.hint(want)
			s.found.streams[want.Name] = made
			return nil
		}
		// Another process may have made it at the same time.
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			stream, err = s.js.Stream(ctx, want.Name)
		}
		if err != nil {
			return s.explainCreate(ctx, want, err)
		}
		s.found.streams[want.Name] = stream
	}
	config := stream.CachedInfo().Config
	fields := streamFields(config, s.config.forExisting(config, want), s.config.AckWait)
	if len(fields) == 0 || !s.config.Update {
		s.report.Differences = append(s.report.Differences, differencesOf(want.Name, fields)...)
		return nil
	}
	changed, rest := overwrite(&config, want, fields)
	s.report.Differences = append(s.report.Differences, differencesOf(want.Name, rest)...)
	if len(changed) == 0 {
		return nil
	}
	updated, err := s.js.UpdateStream(ctx, config)
	if err != nil {
		return explain(s.js.Conn(), "update stream "+want.Name, "$JS.API.STREAM.UPDATE."+want.Name, err)
	}
	s.found.streams[want.Name] = updated
	s.report.Changed = append(s.report.Changed, differencesOf(want.Name, changed)...)
	return nil
}

func (s *assetSetup) consumer(ctx context.Context, want jetstream.ConsumerConfig) error {
	kind := jobs.Kind(want.Durable)
	name := consumerName(kind)
	consumer := s.found.consumers[kind]
	if consumer == nil {
		_, err := s.js.CreateConsumer(ctx, jobs.StreamName, want)
		if err == nil {
			s.created(name)
			return nil
		}
		if errors.Is(err, jetstream.ErrConsumerExists) {
			consumer, err = s.js.Consumer(ctx, jobs.StreamName, want.Durable)
		}
		if err != nil {
			return explain(s.js.Conn(), "create consumer "+name, "$JS.API.CONSUMER.CREATE."+jobs.StreamName+"."+want.Durable+"."+want.FilterSubject, err)
		}
	}
	config := consumer.CachedInfo().Config
	fields := consumerFields(config, want, s.found.leaseTTL(s.config))
	if len(fields) == 0 || !s.config.Update {
		s.report.Differences = append(s.report.Differences, differencesOf(name, fields)...)
		return nil
	}
	changed, rest := overwrite(&config, want, fields)
	s.report.Differences = append(s.report.Differences, differencesOf(name, rest)...)
	if len(changed) == 0 {
		return nil
	}
	if _, err := s.js.UpdateConsumer(ctx, jobs.StreamName, config); err != nil {
		return explain(s.js.Conn(), "update consumer "+name, "$JS.API.CONSUMER.CREATE."+jobs.StreamName+"."+want.Durable+"."+want.FilterSubject, err)
	}
	s.report.Changed = append(s.report.Changed, differencesOf(name, changed)...)
	return nil
}

func (s *assetSetup) created(name string) { s.report.Created = append(s.report.Created, name) }

// hint says that a cluster could keep more than one copy.
func (s *assetSetup) hint(made jetstream.StreamConfig) {
	cluster := s.js.Conn().ConnectedClusterName()
	if made.Replicas == 1 && cluster != "" {
		s.report.Hint = fmt.Sprintf("the new streams have one copy each, although %s is a cluster: a server that is lost takes its streams along; "+
			"for three run \"worker setup --update-streams --replicas 3\"", cluster)
	}
}

// explainCreate adds what only a creation meets.
func (s *assetSetup) explainCreate(ctx context.Context, want jetstream.StreamConfig, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch int(api.ErrorCode) {
		case codeSubjectsOverlap:
			return fmt.Errorf("create stream %s: %s takes subjects of %s already (%w); rename its subjects, remove it, or use an account of its own for Deckhand",
				want.Name, s.takers(ctx, want), strings.Join(want.Subjects, ", "), err)
		case codeTooManyStreams:
			return fmt.Errorf("create stream %s: %w (%w); raise the account's limit of streams, or remove some", want.Name, ErrAccountFull, err)
		}
	}
	return explain(s.js.Conn(), "create stream "+want.Name, "$JS.API.STREAM.CREATE."+want.Name, err)
}

// takers names the streams that have subjects of the wanted one, as far as this
// connection may list them.
func (s *assetSetup) takers(ctx context.Context, want jetstream.StreamConfig) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var names []string
	list := s.js.StreamNames(ctx, jetstream.WithStreamListSubject(want.Subjects[0]))
	for name := range list.Name() {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "another stream"
	}
	return "stream " + strings.Join(names, ", ")
}
