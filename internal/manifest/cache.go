package manifest

import "sync"

// The manifests of a table share a few schemas. The last programs are kept,
// because compiling one takes as long as reading a hundred entries.
const (
	cachedPrograms = 32
	cachedSchema   = 64 << 10 // larger schemas are compiled each time, bytes
)

type programKey struct {
	schema string
	what   string
	fields Fields
}

type programCache struct {
	mu       sync.Mutex
	programs map[programKey]program
}

var programs programCache

func (c *programCache) get(key programKey, wanted []field) (program, error) {
	c.mu.Lock()
	p, ok := c.programs[key]
	c.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := compile(key.schema, key.what, wanted, key.fields)
	if err != nil || len(key.schema) > cachedSchema {
		return p, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.programs == nil || len(c.programs) >= cachedPrograms {
		c.programs = make(map[programKey]program, cachedPrograms)
	}
	c.programs[key] = p
	return p, nil
}
