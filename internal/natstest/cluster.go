package natstest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// Cluster is a few servers inside the test process that replicate streams.
type Cluster struct {
	servers []*server.Server
}

// StartCluster runs servers until the test ends, and waits until they can
// replicate.
func StartCluster(t testing.TB, size int) *Cluster {
	t.Helper()
	ports, err := FreePorts(size)
	require.NoError(t, err)
	routes := make([]string, size)
	for i, port := range ports {
		routes[i] = fmt.Sprintf("nats://127.0.0.1:%d", port)
	}
	c := &Cluster{}
	t.Cleanup(c.stop)
	for i, port := range ports {
		conf := fmt.Sprintf("server_name: n%d\ncluster { name: test, host: 127.0.0.1, port: %d, routes: [%s] }\n",
			i, port, strings.Join(routes, ", "))
		s, err := run(Config{Conf: conf}, t.TempDir(), server.RANDOM_PORT)
		require.NoError(t, err)
		c.servers = append(c.servers, s)
	}
	for deadline := time.Now().Add(readyTimeout); !c.ready(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "the cluster elected no leader in %s", readyTimeout)
	}
	return c
}

// ready reports that all servers know each other and a leader.
func (c *Cluster) ready() bool {
	leaders := 0
	for _, s := range c.servers {
		if s.JetStreamIsLeader() {
			leaders++
		}
		if !s.JetStreamIsCurrent() {
			return false
		}
	}
	return leaders == 1
}

func (c *Cluster) stop() {
	for _, s := range c.servers {
		s.Shutdown()
	}
	for _, s := range c.servers {
		s.WaitForShutdown()
	}
}

// URL of all servers.
func (c *Cluster) URL() string {
	urls := make([]string, len(c.servers))
	for i, s := range c.servers {
		urls[i] = s.ClientURL()
	}
	return strings.Join(urls, ",")
}
