package history

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheRecordIsInTheOrderOfTimesAndOnDisk(t *testing.T) {
	t.Parallel()
	r, err := Create(filepath.Join(t.TempDir(), "history.jsonl"))
	require.NoError(t, err)
	now := time.Now()
	r.Add(Event{At: now.Add(2 * time.Second), What: Ended, Job: "B"})
	r.Add(Event{At: now.Add(time.Second), What: Begins, Job: "B", Ran: time.Second})
	r.Add(Event{What: Storm, Text: "all is mended"})
	var order []What
	for _, e := range r.Events() {
		order = append(order, e.What)
		require.False(t, e.At.IsZero())
	}
	require.Equal(t, []What{Storm, Begins, Ended}, order)
	require.NoError(t, r.Close())

	file, err := os.Open(r.Path())
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	var read []Event
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e Event
		require.NoError(t, json.Unmarshal(lines.Bytes(), &e))
		read = append(read, e)
	}
	require.Len(t, read, 3)
	require.Equal(t, time.Second, read[1].Ran)
}
