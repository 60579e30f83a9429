package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"deckhand/internal/tabletest"
	"deckhand/internal/tabletest/icebergtable"
	"deckhand/jobs"
)

// dropped is a table that the catalog has forgotten, and what lies beside it.
type dropped struct {
	*icebergtable.Table
	name       string // "sales.orders"
	neighbours tabletest.Objects
}

// writeTable writes a table and its neighbours into the warehouse: objects with
// names that begin like the table's, and a second table.
func (s *stage) writeTable(ctx context.Context, name string, o icebergtable.Options) (*dropped, error) {
	o.Location = "file://" + filepath.Join(s.warehouse, strings.ReplaceAll(name, ".", "/"))
	table, err := icebergtable.Write(ctx, o)
	if err != nil {
		return nil, err
	}
	other, err := icebergtable.Write(ctx, icebergtable.Options{Location: o.Location + "_eu", Files: 12, Branch: true})
	if err != nil {
		return nil, err
	}
	neighbours := tabletest.Neighbours(o.Location)
	for path, data := range other.Objects {
		neighbours[path] = data
	}
	if err := errors.Join(table.Objects.WriteFolder(), neighbours.WriteFolder()); err != nil {
		return nil, err
	}
	return &dropped{Table: table, name: name, neighbours: neighbours}, nil
}

// describe tells what the table consists of.
func (d *dropped) describe() {
	var parts []string
	for _, kind := range deleteOrder {
		if n := d.Count(kind); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	detail("%s: %d files: %s", d.name, len(d.Files), strings.Join(parts, ", "))
	detail("neighbours: %s_eu, another table, and objects with names alike; %d files", d.name, len(d.neighbours))
}

// submit is the producer's command line for this table.
func (d *dropped) submit(more ...string) []string {
	return append([]string{
		"submit", "purge", "--catalog", "lake", "--table", d.name,
		"--table-uuid", d.UUID, "--metadata-location", d.MetadataLocation,
	}, more...)
}

// tail names the purge of this table in every stream.
func (d *dropped) tail() string {
	namespace, table, _ := strings.Cut(d.name, ".")
	job := jobs.Job{
		Kind: jobs.Purge, Realm: "POLARIS", Catalog: "lake", Namespace: []string{namespace}, Table: table,
		TableUUID: d.UUID, MetadataLocation: d.MetadataLocation,
	}
	return job.Tail()
}

// verifyGone fails when a file of the table is left or a neighbour is not as it
// was.
func (d *dropped) verifyGone() error {
	left := slices.DeleteFunc(slices.Clone(d.Files), func(f tabletest.File) bool { return !exists(f.Path) })
	if len(left) > 0 {
		return fmt.Errorf("%d files of %s are left, the first is %s", len(left), d.name, left[0].Path)
	}
	for path, want := range d.neighbours {
		file, err := tabletest.LocalPath(path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file) //nolint:gosec // the demo's own
		if err != nil {
			return fmt.Errorf("a neighbour is gone: %w", err)
		}
		if !bytes.Equal(data, want) {
			return fmt.Errorf("the neighbour %s was changed", path)
		}
	}
	folder, err := tabletest.LocalPath(d.Location)
	if err != nil {
		return err
	}
	rest := "its folder is gone as well"
	if entries, err := os.ReadDir(folder); err == nil {
		rest = fmt.Sprintf("of its folder %d empty entries are left", len(entries))
	}
	detail("checked: %d of %d files are gone, %s; %d neighbours are byte for byte what they were", len(d.Files), len(d.Files), rest, len(d.neighbours))
	return nil
}

func exists(location string) bool {
	path, err := tabletest.LocalPath(location)
	if err != nil {
		return false
	}
	_, err = os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
