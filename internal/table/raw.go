package table

import (
	"context"
	"encoding/json"
	"fmt"

	"deckhand/internal/storage"
)

// RawSnapshots reads the wanted snapshots of a metadata file as they are written
// there, with all their fields. The errors are those of [Load], and one that is
// not there wraps [ErrCorrupt].
func RawSnapshots(ctx context.Context, from Opener, l storage.Location, wanted map[int64]bool) (map[int64]json.RawMessage, error) {
	found := map[int64]json.RawMessage{}
	_, err := readJSON(ctx, from, l, func(dec *json.Decoder) error {
		err := decodeObject(dec, func(key string) error {
			if key != "snapshots" {
				return skipValue(dec)
			}
			return decodeArray(dec, func() error {
				var raw json.RawMessage
				var head struct {
					ID int64 `json:"snapshot-id"`
				}
				if err := dec.Decode(&raw); err != nil {
					return err
				}
				err := json.Unmarshal(raw, &head)
				if wanted[head.ID] {
					found[head.ID] = raw
				}
				return err
			})
		})
		if err == nil && len(found) < len(wanted) {
			err = fmt.Errorf("%d of %d snapshots are missing", len(wanted)-len(found), len(wanted))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}
