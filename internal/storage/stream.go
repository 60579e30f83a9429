package storage

import (
	"context"
	"errors"
	"io"
	"time"
)

// progressEvery is how many bytes of a stream count as one sign of life.
const progressEvery = 1 << 20

// stream reads one object. When its connection breaks or stalls, it connects
// again at the byte where it stopped.
type stream struct {
	session  *Session
	ctx      context.Context // a reader's context is its opener's
	target   target
	location Location

	offset, length int64 // what remains; length < 0: to the end
	info           Info
	connected      bool // info is known

	body   io.ReadCloser
	cancel context.CancelCauseFunc
	idle   *time.Timer

	unreported int64
	retry      *retry
	err        error
}

// connect begins reading at the offset.
func (r *stream) connect() error {
	s := r.session
	err := s.try(r.ctx, r.target, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(s.stores.cfg.RequestTimeout, func() { cancel(errTimeout) })
		body, info, err := r.target.read(ctx, r.location.Key, r.offset, r.length)
		if !timer.Stop() && err == nil {
			_ = body.Close()
			err = &Error{Reason: ErrUnavailable, Err: errTimeout}
		}
		if err != nil {
			cancel(nil)
			return err
		}
		if r.connected && (info.Size != r.info.Size || !info.ModTime.Equal(r.info.ModTime)) {
			_ = body.Close()
			cancel(nil)
			return &Error{Reason: ErrRejected, Err: errors.New("the object changed while it was read")}
		}
		r.body, r.info, r.cancel, r.connected = body, info, cancel, true
		r.idle = time.AfterFunc(time.Hour, func() { cancel(errIdle) })
		r.idle.Stop()
		return nil
	})
	return locate(err, "read", r.location)
}

// disconnect gives the connection back.
func (r *stream) disconnect() {
	if r.body != nil {
		r.idle.Stop()
		_ = r.body.Close()
		r.cancel(nil)
		r.body = nil
	}
}

func (r *stream) Read(p []byte) (int, error) {
	for {
		if r.err != nil {
			return 0, r.err
		}
		r.idle.Reset(r.session.stores.cfg.IdleTimeout)
		n, err := r.body.Read(p)
		r.idle.Stop()
		if n > 0 {
			r.advance(int64(n))
		}
		if err == nil || errors.Is(err, io.EOF) {
			r.err = err
			return n, err
		}
		r.err = r.reconnect(err)
		if n > 0 {
			return n, nil
		}
	}
}

func (r *stream) advance(n int64) {
	r.offset += n
	if r.length > 0 {
		r.length -= n
	}
	r.retry = nil
	r.session.meter.bytesRead.Add(n)
	if r.unreported += n; r.unreported >= progressEvery {
		r.unreported = 0
		r.session.meter.progress()
	}
}

// reconnect goes on after a broken connection. Bytes that came since the last
// break give the attempts back.
func (r *stream) reconnect(broken error) error {
	r.disconnect()
	if r.ctx.Err() != nil {
		return locate(canceled(r.ctx), "read", r.location)
	}
	if r.length == 0 || (r.length < 0 && r.offset >= r.info.Size) {
		return io.EOF
	}
	if r.retry == nil {
		r.retry = r.session.newRetry()
	}
	if err := r.retry.wait(r.ctx, &Error{Reason: ErrUnavailable, Err: broken}); err != nil {
		return locate(err, "read", r.location)
	}
	return r.connect()
}

// Close ends the reading. It may be called twice.
func (r *stream) Close() error {
	r.disconnect()
	if r.err == nil {
		r.err = errors.New("read from a closed object")
	}
	return nil
}
