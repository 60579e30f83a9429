package manifests

import "sync"

// chunkSize in bytes.
const chunkSize = 256 << 10

var chunkPool = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// chunks hold a file that grows, without more room than it needs.
type chunks struct {
	full []*[chunkSize]byte
	// used bytes of the last one.
	used int
}

// Write implements [io.Writer].
func (c *chunks) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if len(c.full) == 0 || c.used == chunkSize {
			fresh, isChunk := chunkPool.Get().(*[chunkSize]byte)
			if !isChunk {
				fresh = new([chunkSize]byte)
			}
			c.full, c.used = append(c.full, fresh), 0
		}
		n := copy(c.full[len(c.full)-1][c.used:], p)
		c.used += n
		p = p[n:]
	}
	return written, nil
}

// take gives what was written in one piece, and the room back.
func (c *chunks) take() []byte {
	whole := make([]byte, 0, max(len(c.full)-1, 0)*chunkSize+c.used)
	for i, chunk := range c.full {
		n := chunkSize
		if i == len(c.full)-1 {
			n = c.used
		}
		whole = append(whole, chunk[:n]...)
	}
	c.drop()
	return whole
}

// drop gives the room back.
func (c *chunks) drop() {
	for _, chunk := range c.full {
		chunkPool.Put(chunk)
	}
	c.full, c.used = nil, 0
}
