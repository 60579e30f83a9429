package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// FilesParams are the params of a purge-files job. The whole job must encode to
// at most 256 KiB: what does not fit goes into several jobs.
type FilesParams struct {
	// Manifests whose live entries are deleted, and then they themselves.
	Manifests []string `json:"manifests,omitempty"`
	// Files that are deleted after them: manifest lists, statistics, earlier
	// metadata files.
	Files []string `json:"files,omitempty"`
}

// MaxJobBytes is the size of an encoded job that the stream JOBS takes, headers
// included.
const MaxJobBytes = 256 << 10

// SetFiles makes j the purge-files job of these params: it sets the kind, the
// params and the entity id, which is that of the dropped table (any text), a
// hyphen and the first 32 hex digits of the SHA-256 of the encoded params. So
// two jobs with the same files are one on the queue, and no others ever are.
func (j *Job) SetFiles(entity string, params FilesParams) error {
	encoded, err := canonicalJSON(params)
	if err != nil {
		return fmt.Errorf("encode params: %w", err)
	}
	sum := sha256.Sum256(encoded)
	j.Kind, j.EntityID, j.Params = PurgeFiles, entity+"-"+hex.EncodeToString(sum[:16]), json.RawMessage(encoded)
	return nil
}
