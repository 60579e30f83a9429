package fleet

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"deckhand/internal/chaos/history"
	"deckhand/internal/natstest"
	"deckhand/internal/s3test"
	"deckhand/internal/standin"
)

// drain is how long a worker that is told to stop lets its jobs go on.
const drain = time.Second

// sweepEvery is how often a worker clears up the queue.
const sweepEvery = 10 * time.Second

// Setting is what all workers of a fleet share.
type Setting struct {
	// Program is the built worker; Folder takes configurations and logs.
	Program, Folder string
	Broker          *Broker
	Store           *s3test.Server
	Catalog         *standin.Server
	// Credential of the workers' principal in the catalog.
	Credential string
	// Slots as in the flag --slots.
	Slots string
	// ShardAbove and ShardFiles are when and how purges are shared out.
	ShardAbove, ShardFiles int
	// Note hears of each request to the store, Commit of each to the catalog to change a
	// table; Lose decides about those to the catalog.
	Note   func(Asked) (answered func(status int))
	Commit func(worker, namespace, table string)
	Lose   func() Loss
	Record *history.Record
}

// Worker is a place in the fleet where one process after another runs.
type Worker struct {
	setting *Setting
	place   int

	mu         sync.Mutex
	generation int
	current    *incarnation
}

// incarnation is one process with what is its alone.
type incarnation struct {
	name    string
	process *process
	doors   []*door
	proxies []*natstest.Proxy
	log     *os.File
	// meant says that its end is wanted, frozen that it is stopped.
	meant, frozen bool
}

// NewWorker is a place without a process. Places of a fleet have numbers of their own.
func NewWorker(setting *Setting, place int) *Worker { return &Worker{setting: setting, place: place} }

// Start runs a new process, if none does.
func (w *Worker) Start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != nil {
		return nil
	}
	w.generation++
	i := &incarnation{name: fmt.Sprintf("w%d-%d", w.place, w.generation)}
	if err := w.setting.open(i); err != nil {
		i.close()
		return err
	}
	w.current = i
	go func() { // ends with the process, which Stop waits for
		<-i.process.exited
		w.mu.Lock()
		meant := i.meant
		w.mu.Unlock()
		text := ""
		if !meant {
			text = fmt.Sprintf("by itself: %s; its log is %s", i.process.command.ProcessState, i.log.Name())
		}
		w.setting.Record.Add(history.Event{What: history.Exited, Worker: i.name, Text: text})
	}()
	return nil
}

func (s *Setting) open(i *incarnation) error {
	store, err := storeDoor(s.Store, i.name, s.Note)
	if err != nil {
		return err
	}
	i.doors = append(i.doors, store)
	catalog, err := catalogDoor(s.Catalog, s.Store.Endpoint(), store.address, s.Lose, func(namespace, table string) {
		s.Commit(i.name, namespace, table)
	})
	if err != nil {
		return err
	}
	i.doors = append(i.doors, catalog)
	var urls []string
	for _, address := range s.Broker.Addresses() {
		proxy, err := natstest.OpenProxy(address)
		if err != nil {
			return fmt.Errorf("open proxy: %w", err)
		}
		i.proxies = append(i.proxies, proxy)
		urls = append(urls, proxy.URL())
	}
	config := filepath.Join(s.Folder, i.name+".yaml")
	if err := s.configure(config, i.name, strings.Join(urls, ","), store.address, catalog.address); err != nil {
		return err
	}
	if i.log, err = os.Create(filepath.Join(s.Folder, i.name+".log")); err != nil {
		return fmt.Errorf("create log: %w", err)
	}
	i.process, err = spawn(s.Program, []string{"run", "--config", config, "--slots", s.Slots}, func(output io.Reader) { s.listen(i, output) })
	return err
}

func (s *Setting) configure(path, name, nats, store, catalog string) error {
	secret, credential := filepath.Join(s.Folder, "secret.txt"), filepath.Join(s.Folder, "credential.txt")
	if err := os.WriteFile(secret, []byte(s3test.SecretAccessKey+"\n"), 0o600); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	if err := os.WriteFile(credential, []byte(s.Credential+"\n"), 0o600); err != nil {
		return fmt.Errorf("write credential: %w", err)
	}
	root := strings.TrimPrefix(s.Catalog.URI(), strings.TrimSuffix(s.Catalog.URI(), "/api/catalog"))
	text := fmt.Sprintf(`nats: { url: %q }
worker:
  name: %s
  http: "off"
  drain: %s
  sweep_every: %s
  purge: { shard_above: %d, shard_files: %d }
log: { level: debug, format: json }
catalogs:
  lake:
    realm: POLARIS
    locations: ["s3://warehouse/"]
    rest: { uri: %q, credential_file: %q, requests_per_second: 200 }
    s3: { endpoint: %q, region: us-east-1, path_style: true, access_key_id: %q, secret_access_key_file: %q }
`, nats, name, drain, sweepEvery, s.ShardAbove, s.ShardFiles, catalog+root, credential, store, s3test.AccessKeyID, secret)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// listen keeps a worker's log and takes from it when jobs begin and are settled.
func (s *Setting) listen(i *incarnation, output io.Reader) {
	defer func() { _ = i.log.Close() }()
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadBytes('\n')
		_, _ = i.log.Write(line)
		if e, ok := said(line); ok {
			e.Worker = i.name
			s.Record.Add(e)
		}
		if err != nil {
			return
		}
	}
}

// said is what a line of a worker's log tells of a job.
func said(line []byte) (e history.Event, ok bool) {
	var l struct {
		Time    time.Time `json:"time"`
		Message string    `json:"msg"`
		Job     string    `json:"job"`
		Tail    string    `json:"tail"`
		Seq     uint64    `json:"seq"`
		Attempt int       `json:"attempt"`
		Ran     string    `json:"ran"`
		Error   string    `json:"error"`
		What    string    `json:"what"`
		Name    string    `json:"name"`
	}
	if json.Unmarshal(line, &l) != nil {
		return e, false
	}
	if l.Message == "sweep put something right" {
		return history.Event{At: l.Time, What: history.Swept, Tail: l.Name, Sequence: l.Seq, Text: l.What}, true
	}
	if l.Tail == "" {
		return e, false
	}
	e = history.Event{At: l.Time, Job: l.Job, Tail: l.Tail, Sequence: l.Seq, Attempt: l.Attempt, Lock: lockOf(l.Tail), Text: l.Message}
	switch {
	case l.Message == "job begins":
		e.What = history.Begins
	case strings.HasPrefix(l.Message, "attempt stays spent"):
		e.What = history.Spent
	case l.Seq != 0:
		e.What = history.Settled
		e.Ran, _ = time.ParseDuration(l.Ran) // absent where nothing ran
		if l.Error != "" {
			e.Text += ": " + l.Error
		}
	}
	return e, e.What != ""
}

// lockOf is the lock key of a tail: it has no kind.
func lockOf(tail string) string {
	_, rest, _ := strings.Cut(tail, ".")
	return "table." + rest
}

// Name of the process that runs; "" for none.
func (w *Worker) Name() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == nil {
		return ""
	}
	return w.current.name
}

// take ends the place's process in the given way.
func (w *Worker) take(end func(*process)) {
	w.mu.Lock()
	i := w.current
	w.current = nil
	if i != nil {
		i.meant = true
	}
	w.mu.Unlock()
	if i != nil {
		for _, p := range i.proxies {
			p.Resume() // a drain must not wait for a stall
		}
		end(i.process)
		i.close()
	}
}

// Kill ends the process with SIGKILL.
func (w *Worker) Kill() { w.take((*process).kill) }

// Terminate ends it with SIGTERM.
func (w *Worker) Terminate() { w.take(func(p *process) { p.terminate(10 * time.Second) }) }

// Stall stops all bytes between the process and NATS, or lets them flow again.
func (w *Worker) Stall(stalled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == nil {
		return
	}
	for _, p := range w.current.proxies {
		if stalled {
			p.Stall()
		} else {
			p.Resume()
		}
	}
}

// Cut closes the process' connections to NATS.
func (w *Worker) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != nil {
		for _, p := range w.current.proxies {
			p.Cut()
		}
	}
}

// Freeze stops the process itself, or lets it go on.
func (w *Worker) Freeze(frozen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current == nil {
		return
	}
	switch {
	case frozen:
		w.current.process.signal(syscall.SIGSTOP)
	case w.current.frozen:
		w.setting.Record.Add(history.Event{What: history.Woken, Worker: w.current.name})
		w.current.process.signal(syscall.SIGCONT)
	}
	w.current.frozen = frozen
}

func (i *incarnation) close() {
	for _, p := range i.proxies {
		p.Close()
	}
	for _, d := range i.doors {
		d.close()
	}
}
