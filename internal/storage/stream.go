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
	patience   patience
	err        error
}

// connect begins reading at the offset.
func (r *stream) connect() error {
	s := r.session
	err := s.try(r.ctx, r.target, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(s.stores.cfg.RequestTimeout, func() { cancel(errTimeout) })
		body, info, err := r.request(ctx)
		if !timer.Stop() && err == nil {
			_ = body.Close()
			err = &Error{Reason: ErrUnavailable, Err: errTimeout}
		}
		if err != nil {
			cancel(nil)
			return err
		}
		if r.connected && changed(r.info, info) {
			_ = body.Close()
			cancel(nil)
			return &Error{Reason: ErrRejected, Err: errors.New("the object changed while it was read")}
		}
		if info.Size < 0 && r.connected {
			info.Size = r.info.Size
		}
		r.body, r.info, r.cancel, r.connected = body, info, cancel, true
		r.idle = time.AfterFunc(time.Hour, func() { cancel(errIdle) })
		r.idle.Stop()
		return nil
	})
	return locate(err, "read", r.location)
}

// request asks for what remains. Where the size is not known, nothing may
// remain, and a range behind the end would be refused: so that it begins one
// byte earlier, which is thrown away, and whose answer tells the size.
func (r *stream) request(ctx context.Context) (io.ReadCloser, Info, error) {
	if !r.connected || r.info.Size >= 0 || r.offset == 0 {
		return r.target.read(ctx, r.location.Key, r.offset, r.length)
	}
	length := r.length
	if length >= 0 {
		length++
	}
	body, info, err := r.target.read(ctx, r.location.Key, r.offset-1, length)
	if err != nil {
		return nil, Info{}, err
	}
	if _, err := io.ReadFull(body, make([]byte, 1)); err != nil {
		_ = body.Close()
		return nil, Info{}, &Error{Reason: ErrUnavailable, Err: err}
	}
	return body, info, nil
}

// changed compares what is known of both.
func changed(before, now Info) bool {
	return !now.ModTime.Equal(before.ModTime) || now.Size >= 0 && before.Size >= 0 && now.Size != before.Size
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
		if r.length >= 0 && int64(len(p)) > r.length {
			p = p[:r.length] // a store may send more than was asked for
		}
		r.idle.Reset(r.session.stores.cfg.IdleTimeout)
		n, err := r.body.Read(p)
		r.idle.Stop()
		if n > 0 {
			r.advance(int64(n))
		}
		switch {
		case r.length == 0:
			r.err = io.EOF
		case err == nil:
			return n, nil
		case r.ended(err):
			r.err = io.EOF
		default:
			r.err = r.reconnect(err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// ended says whether the body's error is the end of what was asked for. Where
// the size is known, only that counts. Else it must be a clean end, which
// backends give only when it cannot be taken for that of a connection.
func (r *stream) ended(err error) bool {
	if r.info.Size >= 0 {
		return r.offset >= r.info.Size
	}
	return errors.Is(err, io.EOF)
}

func (r *stream) advance(n int64) {
	r.offset += n
	if r.length > 0 {
		r.length -= n
	}
	if r.retry != nil && r.patience.renews(n, time.Now(), r.session.stores.cfg.RetryFor) {
		r.retry = nil
	}
	r.session.meter.bytesRead.Add(n)
	if r.unreported += n; r.unreported >= progressEvery {
		r.unreported = 0
		r.session.meter.progress()
	}
}

// reconnect goes on after a broken connection. Progress since the last break
// gives the attempts back.
func (r *stream) reconnect(broken error) error {
	r.disconnect()
	if r.ctx.Err() != nil {
		return locate(canceled(r.ctx), "read", r.location)
	}
	if errors.Is(broken, io.EOF) {
		broken = io.ErrUnexpectedEOF // a body that ended before its object
	}
	if r.retry == nil {
		r.retry = r.session.newRetry()
		r.patience.broke(time.Now())
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
