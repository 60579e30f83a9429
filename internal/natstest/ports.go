package natstest

import (
	"fmt"
	"net"
)

// FreePorts asks the system for TCP ports that nobody uses now. Another process
// could take one before it is used; a server's own choice is better where it can
// be asked.
func FreePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener // until the end, so that the ports differ
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		held, ports = append(held, l), append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
