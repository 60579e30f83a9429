package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"deckhand/internal/broker"
	"deckhand/internal/command"
	"deckhand/internal/queue"
	"deckhand/jobs"
)

const areaNATS = "nats"

// natsTimeout bounds all questions to NATS.
const natsTimeout = 30 * time.Second

func examineNATS(ctx context.Context, s *command.Session, r *report) {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	// What is denied is reported here; the log would repeat it.
	nc, err := broker.Connect(ctx, s.Config.NATS, connectionName(), slog.New(slog.DiscardHandler))
	if err != nil {
		r.result(err, verdictFail, areaNATS, "connect", "")
		return
	}
	defer nc.Close()
	roundTrip, err := nc.RTT()
	r.result(err, verdictFail, areaNATS, "connect", fmt.Sprintf("%s, version %s, round trip %s",
		nc.ConnectedUrlRedacted(), nc.ConnectedServerVersion(), roundTrip.Round(10*time.Microsecond)))
	// Without replies every question below would wait for its time-out.
	if !r.result(broker.CheckInbox(ctx, nc), verdictFail, areaNATS, "replies", "can be received") {
		r.add(verdictSkip, areaNATS, "streams", "without replies they cannot be asked for")
		examineRights(ctx, nc, r)
		return
	}
	js, err := broker.JetStream(nc, s.Config.NATS)
	if err != nil {
		r.result(err, verdictFail, areaNATS, "jetstream", "")
		return
	}
	differences, err := queue.Check(ctx, js, queue.AssetsConfig{AckWait: s.Config.Worker.AckWait})
	if errors.Is(err, queue.ErrJetStreamOff) || errors.Is(err, queue.ErrServerTooOld) {
		r.result(err, verdictFail, areaNATS, "jetstream", "")
		return
	}
	if r.result(err, verdictFail, areaNATS, "streams", "all are there") {
		for _, difference := range differences {
			level := verdictWarn
			if difference.Fatal {
				level = verdictFail
			}
			r.add(level, areaNATS, "streams", "%s", difference)
		}
	}
	examineRights(ctx, nc, r)
}

// right is a subject that a worker publishes to, and a message for it that
// changes nothing.
type right struct {
	// grant is what permissions should say, subject what is tried.
	grant, subject string
	message        probe
	// without says what fails without the right; "" is everything.
	without string
}

// probe is a kind of message that is refused by whoever it is for.
type probe int

const (
	// probeInfo asks for what anyone may know.
	probeInfo probe = iota
	// probeBroken is not a request that the JetStream API can read.
	probeBroken
	// probeStored expects to be stored in a stream that does not exist.
	probeStored
	// probeNobody goes to a subject that nobody listens on.
	probeNobody
)

// rights are what internal/queue publishes to. Those without a consequence are
// what "worker run" needs; the others are for operators.
func rights() []right {
	const nobody = "deckhand-doctor"
	var list []right
	for _, stream := range []string{"JOBS", "DEAD", "RESULTS", "KV_locks", "KV_progress", "KV_shards"} {
		subject := "$JS.API.STREAM.INFO." + stream
		list = append(list, right{grant: subject, subject: subject, message: probeInfo})
	}
	for _, kind := range jobs.Kinds() {
		list = append(list,
			right{grant: "$JS.API.CONSUMER.INFO.JOBS.*", subject: "$JS.API.CONSUMER.INFO.JOBS." + string(kind), message: probeInfo},
			right{grant: "$JS.API.CONSUMER.MSG.NEXT.JOBS.*", subject: "$JS.API.CONSUMER.MSG.NEXT.JOBS." + string(kind), message: probeBroken})
	}
	list = append(list,
		right{grant: "$JS.ACK.JOBS.>", subject: "$JS.ACK.JOBS." + nobody + ".1.1.1.1.1", message: probeNobody},
		right{grant: "$JS.API.DIRECT.GET.JOBS", subject: "$JS.API.DIRECT.GET.JOBS", message: probeBroken},
		right{grant: "$JS.API.DIRECT.GET.RESULTS.>", subject: "$JS.API.DIRECT.GET.RESULTS.results." + nobody, message: probeInfo},
		right{grant: "results.>", subject: "results." + nobody, message: probeStored},
		right{grant: "dead.>", subject: "dead." + nobody, message: probeStored})
	for _, bucket := range []string{"locks", "progress"} {
		key := "$KV." + bucket + "." + nobody
		list = append(list,
			right{grant: "$JS.API.DIRECT.GET.KV_" + bucket + ".>", subject: "$JS.API.DIRECT.GET.KV_" + bucket + "." + key, message: probeInfo},
			right{grant: "$KV." + bucket + ".>", subject: key, message: probeStored})
	}
	list = append(list,
		right{grant: "$JS.API.STREAM.MSG.GET.KV_shards", subject: "$JS.API.STREAM.MSG.GET.KV_shards", message: probeBroken},
		right{grant: "$KV.shards.>", subject: "$KV.shards." + nobody, message: probeStored})
	for _, stream := range []string{"KV_progress", "RESULTS"} {
		subject := "$JS.API.DIRECT.GET." + stream
		list = append(list, right{grant: subject, subject: subject, message: probeBroken, without: `"status" fails`})
	}
	return append(list,
		right{grant: "$JS.API.DIRECT.GET.KV_locks", subject: "$JS.API.DIRECT.GET.KV_locks", message: probeBroken, without: `"status", sweeps and the metrics of the queue fail`},
		right{grant: "$JS.API.DIRECT.GET.DEAD", subject: "$JS.API.DIRECT.GET.DEAD", message: probeBroken, without: `"dead ls" and sweeps fail`},
		right{grant: "$JS.API.DIRECT.GET.DEAD.>", subject: "$JS.API.DIRECT.GET.DEAD.dead." + nobody, message: probeInfo, without: `"dead" fails`},
		right{grant: "$JS.API.DIRECT.GET.JOBS.>", subject: "$JS.API.DIRECT.GET.JOBS.jobs." + nobody, message: probeInfo, without: `"cancel", sweeps and purges in shards fail`},
		right{grant: "jobs.>", subject: "jobs." + nobody, message: probeStored, without: `"dead requeue" fails, and so do purges in shards`},
		right{grant: "$JS.API.STREAM.MSG.DELETE.JOBS", subject: "$JS.API.STREAM.MSG.DELETE.JOBS", message: probeBroken, without: `"cancel" fails, and sweeps remove nothing`},
		right{grant: "$JS.API.STREAM.MSG.DELETE.DEAD", subject: "$JS.API.STREAM.MSG.DELETE.DEAD", message: probeBroken, without: `"dead requeue" and "dead drop" fail, and sweeps remove nothing`},
	)
}

// examineRights publishes a probe to each subject. The server answers a denied
// publish before it answers the ping that follows.
func examineRights(ctx context.Context, nc *nats.Conn, r *report) {
	var granted int
	for _, each := range rights() {
		denied, err := each.denied(ctx, nc)
		switch {
		case err != nil:
			r.add(verdictFail, areaNATS, "rights", "%s: %s", each.grant, command.OneLine(err))
			return
		case denied && each.without == "":
			r.add(verdictFail, areaNATS, "rights", "publishing to %s is denied; allow this user to publish to %s", each.subject, each.grant)
		case denied:
			r.add(verdictWarn, areaNATS, "rights", "publishing to %s is denied, so %s; allow this user to publish to %s", each.subject, each.without, each.grant)
		default:
			granted++
		}
	}
	r.add(verdictOK, areaNATS, "rights", "%d of %d subjects may be published to", granted, len(rights()))
}

func (r right) denied(ctx context.Context, nc *nats.Conn) (bool, error) {
	msg := nats.NewMsg(r.subject)
	switch r.message {
	case probeInfo:
	case probeBroken:
		msg.Data = []byte("{")
	case probeStored:
		msg.Header.Set(nats.ExpectedStreamHdr, "DECKHAND-DOCTOR")
	case probeNobody:
	}
	if err := nc.PublishMsg(msg); err != nil {
		return false, fmt.Errorf("publish: %w", err)
	}
	return deniedAfterFlush(ctx, nc, r.subject)
}

func deniedAfterFlush(ctx context.Context, nc *nats.Conn, subject string) (bool, error) {
	if err := nc.FlushWithContext(ctx); err != nil {
		return false, fmt.Errorf("wait for the server: %w", err)
	}
	last := nc.LastError()
	return last != nil && errors.Is(last, nats.ErrPermissionViolation) && strings.Contains(last.Error(), `"`+subject+`"`), nil
}
