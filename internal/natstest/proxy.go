package natstest

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy is a TCP proxy in front of a server that can stall: connections stay
// open and nothing passes, as in a network partition.
type Proxy struct {
	listener net.Listener
	target   string
	done     sync.WaitGroup

	mu      sync.Mutex
	gate    *sync.Cond
	stalled bool
	closed  bool
	conns   map[net.Conn]struct{}
	old     []byte
	new     []byte
}

// NewProxy listens on a free port and forwards to target (host:port) until the
// test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := OpenProxy(target)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// OpenProxy is [NewProxy] outside of tests: until Close.
func OpenProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{listener: listener, target: target, conns: map[net.Conn]struct{}{}}
	p.gate = sync.NewCond(&p.mu)
	p.done.Add(1)
	go p.accept()
	return p, nil
}

// URL to connect to.
func (p *Proxy) URL() string { return "nats://" + p.listener.Addr().String() }

// Stall stops every byte, of open connections and of new ones.
func (p *Proxy) Stall() { p.setStalled(true) }

// Resume lets the bytes pass that waited, and all later ones.
func (p *Proxy) Resume() { p.setStalled(false) }

// Replace makes the proxy write new where the server wrote old, for example to
// pretend another version. Both must have one length.
func (p *Proxy) Replace(old, new string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old, p.new = []byte(old), []byte(new)
}

// Cut closes the open connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) setStalled(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = stalled
	p.gate.Broadcast()
}

// Close ends all connections and waits for them. What a stall held back is lost.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.gate.Broadcast()
	p.mu.Unlock()
	p.Cut()
	p.done.Wait()
}

func (p *Proxy) accept() {
	defer p.done.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		if p.closed {
			_, _ = client.Close(), server.Close()
		}
		p.mu.Unlock()
		p.done.Add(2)
		go p.forward(client, server, false)
		go p.forward(server, client, true)
	}
}

// forward copies one direction until either side closes.
func (p *Proxy) forward(from, to net.Conn, fromServer bool) {
	defer p.done.Done()
	defer func() {
		_, _ = from.Close(), to.Close()
		p.mu.Lock()
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		data := buffer[:n]
		p.mu.Lock()
		for p.stalled && !p.closed {
			p.gate.Wait()
		}
		if fromServer && len(p.old) > 0 {
			data = bytes.Replace(data, p.old, p.new, 1)
		}
		p.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(data); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
