package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

// Headers that a front adds to each request of a worker: who asks, and the first key
// that is asked for.
const (
	HeaderWorker = "X-Chaos-Worker"
	HeaderKey    = "X-Chaos-Key"
)

// Asked is one request to the store.
type Asked struct {
	At     time.Time
	Worker string
	Op     string
	// Keys that are asked for: one, those of a batch, or the prefix of a listing.
	Keys []string
}

// door is a server on a port of its own.
type door struct {
	server  *http.Server
	address string
	closed  chan struct{}
}

func openDoor(handler http.Handler) (*door, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	d := &door{
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: time.Minute,
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		},
		address: "http://" + listener.Addr().String(), closed: make(chan struct{}),
	}
	go func() {
		defer close(d.closed)
		_ = d.server.Serve(listener)
	}()
	return d, nil
}

func (d *door) close() {
	_ = d.server.Close()
	<-d.closed
}

// storeDoor is the store for one worker: it writes down who asks and passes on. What
// note gives is told the status of the answer, 0 where there was none.
func storeDoor(store *s3test.Server, worker string, note func(Asked) (answered func(status int))) (*door, error) {
	return openDoor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		asked := Asked{At: time.Now(), Worker: worker, Op: operation(r), Keys: keysOf(r, body)}
		r.Header.Set(HeaderWorker, worker)
		if len(asked.Keys) > 0 {
			r.Header.Set(HeaderKey, asked.Keys[0])
		}
		answered := note(asked)
		answer := &statusOf{ResponseWriter: w}
		defer func() { answered(answer.status) }()
		store.ServeHTTP(answer, r)
	}))
}

// statusOf remembers the status of an answer.
type statusOf struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (s *statusOf) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (s *statusOf) Write(p []byte) (int, error) {
	s.status = cmp.Or(s.status, http.StatusOK)
	return s.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (s *statusOf) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// operation tells requests apart as far as the record has to.
func operation(r *http.Request) string {
	switch query := r.URL.Query(); {
	case query.Has("delete") && r.Method == http.MethodPost:
		return "DeleteObjects"
	case query.Has("list-type"):
		return "ListObjectsV2"
	default:
		return r.Method
	}
}

// keysOf are the keys of a path-style request.
func keysOf(r *http.Request, body []byte) []string {
	switch operation(r) {
	case "DeleteObjects":
		var batch struct {
			Objects []struct {
				Key string `xml:"Key"`
			} `xml:"Object"`
		}
		_ = xml.Unmarshal(body, &batch) // the store refuses it
		keys := make([]string, 0, len(batch.Objects))
		for _, o := range batch.Objects {
			keys = append(keys, o.Key)
		}
		return keys
	case "ListObjectsV2":
		return []string{r.URL.Query().Get("prefix")}
	default:
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		return []string{key}
	}
}

// Loss is how a request to the catalog is lost.
type Loss int

// Values of [Loss].
const (
	// LossNone: it is not.
	LossNone Loss = iota
	// LossBefore: nothing of it happens.
	LossBefore
	// LossAfter: it is carried out, and its answer is lost.
	LossAfter
	// LossRefused: the catalog is unavailable.
	LossRefused
)

// catalogDoor is the catalog for one worker. The store that it tells of is that
// worker's own. commit hears of requests to change a table, whatever becomes of them.
func catalogDoor(catalog *standin.Server, store, own string, lose func() Loss, commit func(namespace, table string)) (*door, error) {
	return openDoor(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if namespace, table, changes := changed(r); changes {
			commit(namespace, table)
		}
		loss := lose()
		if loss == LossRefused {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer := httptest.NewRecorder()
		if loss != LossBefore {
			catalog.ServeHTTP(answer, r)
		}
		if loss != LossNone {
			if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = connection.Close()
			}
			return
		}
		body := bytes.ReplaceAll(answer.Body.Bytes(), []byte(store), []byte(own))
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	}))
}

// changed is the table that a request to the catalog is to change.
func changed(r *http.Request) (namespace, table string, changes bool) {
	_, path, found := strings.Cut(r.URL.Path, "/namespaces/")
	parts := strings.Split(path, "/")
	if !found || r.Method != http.MethodPost || len(parts) != 3 || parts[1] != "tables" {
		return "", "", false
	}
	return parts[0], parts[2], true
}
