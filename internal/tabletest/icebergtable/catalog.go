package icebergtable

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/iceberg-go"
	icebergio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// catalog knows one table and writes its metadata files, as a real catalog does
// at each commit.
type catalog struct {
	store    *memoryStore
	metadata table.Metadata
	location string // of the current metadata file
	version  int
}

var _ table.CatalogIO = (*catalog)(nil)

func (c *catalog) files(context.Context) (icebergio.IO, error) { return c.store, nil }

func (c *catalog) LoadTable(_ context.Context, name table.Identifier) (*table.Table, error) {
	return table.New(name, c.metadata, c.location, c.files, c), nil
}

func (c *catalog) CommitTable(_ context.Context, _ table.Identifier, requirements []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	for _, requirement := range requirements {
		if err := requirement.Validate(c.metadata); err != nil {
			return nil, "", fmt.Errorf("check requirement: %w", err)
		}
	}
	metadata, err := table.UpdateTableMetadata(c.metadata, updates, c.location)
	if err != nil {
		return nil, "", fmt.Errorf("update metadata: %w", err)
	}
	if err := c.write(metadata); err != nil {
		return nil, "", err
	}
	return c.metadata, c.location, nil
}

// write stores the next metadata file.
func (c *catalog) write(metadata table.Metadata) error {
	provider, err := table.LoadLocationProvider(metadata.Location(), metadata.Properties())
	if err != nil {
		return fmt.Errorf("load location provider: %w", err)
	}
	location, err := provider.NewTableMetadataFileLocation(c.version)
	if err != nil {
		return fmt.Errorf("name metadata: %w", err)
	}
	data, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	if strings.Contains(location, ".gz.") {
		if data, err = compress(data); err != nil {
			return err
		}
	}
	if err := c.store.WriteFile(location, data); err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	c.metadata, c.location = metadata, location
	c.version++
	return nil
}

func compress(data []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compress metadata: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress metadata: %w", err)
	}
	return packed.Bytes(), nil
}

func schema() *iceberg.Schema {
	return iceberg.NewSchema(0,
		iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64, Required: true},
		iceberg.NestedField{ID: 2, Name: "region", Type: iceberg.PrimitiveTypes.String, Required: true},
		iceberg.NestedField{ID: 3, Name: "amount", Type: iceberg.PrimitiveTypes.Float64},
	)
}

// create starts the table without a snapshot.
func create(o Options) (*catalog, error) {
	properties := iceberg.Properties{
		"format-version":               fmt.Sprint(o.FormatVersion),
		"write.delete.mode":            table.WriteModeMergeOnRead,
		"write.delete.isolation-level": "snapshot",
	}
	if o.GzipMetadata {
		properties[table.MetadataCompressionKey] = table.MetadataCompressionCodecGzip
	}
	for key, value := range o.Properties {
		properties[key] = value
	}
	spec := iceberg.UnpartitionedSpec
	if o.Partitioned {
		byRegion := iceberg.NewPartitionSpec(iceberg.PartitionField{
			SourceIDs: []int{2}, FieldID: 1000, Name: "region", Transform: iceberg.IdentityTransform{},
		})
		spec = &byRegion
	}
	metadata, err := table.NewMetadata(schema(), spec, table.UnsortedSortOrder, o.Location, properties)
	if err != nil {
		return nil, fmt.Errorf("create metadata: %w", err)
	}
	c := &catalog{store: &memoryStore{files: map[string][]byte{}}}
	if err := c.write(metadata); err != nil {
		return nil, err
	}
	return c, nil
}
