package warehouse

import (
	"encoding/json"

	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"deckhand/internal/maintenance/maintenancetest"
	"deckhand/internal/tabletest"
)

// desk is where a writer writes: it notes the files.
type desk struct {
	maintenancetest.Shelves
	writer *Living
}

var _ icebergio.WriteFileIO = desk{}

// WriteFile implements [icebergio.WriteFileIO].
func (d desk) WriteFile(name string, data []byte) error {
	d.note(name)
	return d.Shelves.WriteFile(name, data)
}

// Create implements [icebergio.WriteFileIO].
func (d desk) Create(name string) (icebergio.FileWriter, error) {
	d.note(name)
	return d.Shelves.Create(name)
}

func (d desk) note(name string) {
	if _, key, err := tabletest.SplitS3(name); err == nil {
		d.writer.mu.Lock()
		d.writer.written = append(d.writer.written, key)
		d.writer.mu.Unlock()
	}
}

// addedBy is the id of the snapshot that a commit adds; 0 for none.
func addedBy(updates []table.Update) (id int64) {
	for _, u := range updates {
		var said struct {
			Snapshot struct {
				ID int64 `json:"snapshot-id"`
			} `json:"snapshot"`
		}
		if encoded, err := json.Marshal(u); err == nil && u.Action() == table.UpdateAddSnapshot && json.Unmarshal(encoded, &said) == nil {
			id = said.Snapshot.ID
		}
	}
	return id
}
