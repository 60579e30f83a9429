package fleet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"deckhand/internal/natstest"
)

// Broker is NATS: one server process, or a cluster of some.
type Broker struct {
	nodes []*node
}

// node is one server. Its port and its store outlive its process.
type node struct {
	name, program, config, log string
	address, store             string

	mu      sync.Mutex
	process *process
}

// BrokerConfig says which servers to run.
type BrokerConfig struct {
	// Program is the built nats-server.
	Program string
	// Folder for stores, configurations and logs.
	Folder string
	// Store, if set, holds the store of a single server in place of Folder.
	Store string
	// Nodes is 1 or 3.
	Nodes int
}

// StartBroker runs the servers.
func StartBroker(cfg BrokerConfig) (*Broker, error) {
	ports, err := natstest.FreePorts(2 * cfg.Nodes)
	if err != nil {
		return nil, err
	}
	var routes []string
	for i := range cfg.Nodes {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[cfg.Nodes+i]))
	}
	b := &Broker{}
	for i := range cfg.Nodes {
		name := fmt.Sprintf("n%d", i+1)
		store := filepath.Join(cfg.Folder, name)
		if cfg.Store != "" {
			store = cfg.Store
		}
		text := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%d\njetstream { store_dir: %q, max_file_store: 4GB }\n", name, ports[i], store)
		if cfg.Nodes > 1 {
			// Without the advertisements clients would find ways past the proxies.
			text += fmt.Sprintf("cluster { name: chaos, listen: 127.0.0.1:%d, routes: [%s], no_advertise: true }\n",
				ports[cfg.Nodes+i], strings.Join(routes, ", "))
		}
		n := &node{
			name: name, program: cfg.Program, config: filepath.Join(cfg.Folder, name+".conf"), log: filepath.Join(cfg.Folder, name+".log"),
			address: fmt.Sprintf("127.0.0.1:%d", ports[i]), store: store,
		}
		if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		b.nodes = append(b.nodes, n)
		if err := n.start(); err != nil {
			b.Stop()
			return nil, err
		}
	}
	return b, nil
}

func (n *node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil && n.process.running() {
		return nil
	}
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	n.process, err = spawn(n.program, []string{"-c", n.config}, func(output io.Reader) {
		_, _ = io.Copy(log, bufio.NewReader(output))
		_ = log.Close()
	})
	return err
}

func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		n.process.kill()
	}
}

func (n *node) terminate() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		n.process.terminate(10 * time.Second)
	}
}

// Size is the number of servers.
func (b *Broker) Size() int { return len(b.nodes) }

// URL of all servers, past any proxy.
func (b *Broker) URL() string { return strings.Join(b.Addresses(), ",") }

// Addresses are host and port of each server.
func (b *Broker) Addresses() []string {
	var all []string
	for _, n := range b.nodes {
		all = append(all, n.address)
	}
	return all
}

// Kill ends the n-th server with SIGKILL.
func (b *Broker) Kill(n int) { b.nodes[n].kill() }

// Terminate ends the n-th server with SIGTERM, as one that is to be restarted.
func (b *Broker) Terminate(n int) { b.nodes[n].terminate() }

// Start starts the n-th server again, if it does not run.
func (b *Broker) Start(n int) error { return b.nodes[n].start() }

// Stop ends all.
func (b *Broker) Stop() {
	for _, n := range b.nodes {
		n.kill()
	}
}

// Leader is the number of the server that leads the stream; -1 when that is not
// known.
func (b *Broker) Leader(ctx context.Context, js jetstream.JetStream, stream string) int {
	found, err := js.Stream(ctx, stream)
	if err != nil || found.CachedInfo().Cluster == nil {
		return -1
	}
	for i, n := range b.nodes {
		if n.name == found.CachedInfo().Cluster.Leader {
			return i
		}
	}
	return -1
}

// Connect opens a connection past the proxies, which waits for servers that are
// away, and JetStream on it once that answers.
func (b *Broker) Connect(ctx context.Context) (jetstream.JetStream, error) {
	nc, err := nats.Connect(b.URL(), nats.Name("chaos"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err = js.AccountInfo(attempt)
		cancel()
		if err == nil {
			return js, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	nc.Close()
	return nil, errors.Join(fmt.Errorf("wait for JetStream: %w", err), context.Cause(ctx))
}
