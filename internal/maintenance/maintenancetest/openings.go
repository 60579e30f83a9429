package maintenancetest

import (
	"crypto/sha256"
	"sync"

	"deckhand/internal/s3test"
	"deckhand/internal/tabletest"
)

// contents are hashes of objects by location.
type contents map[string][sha256.Size]byte

// unchanged says whether each object is there and the same.
func (c contents) unchanged(server *s3test.Server) bool {
	for location, hash := range c {
		bucket, key, err := tabletest.SplitS3(location)
		if err != nil {
			return false
		}
		data, found := server.Get(bucket, key)
		if !found || sha256.Sum256(data) != hash {
			return false
		}
	}
	return true
}

// openings remember what was opened, from many goroutines.
type openings struct {
	mu  sync.Mutex
	all contents
}

func (o *openings) add(location string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all == nil {
		o.all = contents{}
	}
	o.all[location] = sha256.Sum256(data)
}

// take gives what was opened since the last take.
func (o *openings) take() contents {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.all
	o.all = nil
	return all
}
