package table

import (
	"context"
	"encoding/json"
	"errors"

	"deckhand/internal/storage"
)

// ViewMetadata is what a view's metadata file says about itself. Field names
// follow the Iceberg view spec.
type ViewMetadata struct {
	UUID     string
	Location string
	// Size of the metadata file as stored, in bytes.
	Size int64
}

// LoadView reads a view's metadata file. The errors are those of [Load].
func LoadView(ctx context.Context, from Opener, l storage.Location) (*ViewMetadata, error) {
	view := &ViewMetadata{}
	size, err := readJSON(ctx, from, l, func(dec *json.Decoder) error {
		err := decodeObject(dec, func(key string) error {
			switch key {
			case "view-uuid":
				return dec.Decode(&view.UUID)
			case "location":
				return dec.Decode(&view.Location)
			default:
				return skipValue(dec)
			}
		})
		if err == nil && view.UUID == "" {
			err = errors.New("view-uuid is missing: this is not a view's metadata")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	view.Size = size
	return view, nil
}
