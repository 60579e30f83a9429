package standin

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apache/iceberg-go"
	sqlcatalog "github.com/apache/iceberg-go/catalog/sql"
	"github.com/uptrace/bun/driver/sqliteshim"
)

// rows are the tables of iceberg-go's SQL catalog in SQLite, one database for all
// catalogs. Namespaces and lists go through the library; where a table's metadata
// is, is read and changed here, because the library reads the metadata file with
// each load, which a 304 must not need.
type rows struct{ db *sql.DB }

// databases tells databases in memory apart.
var databases atomic.Int64

// openRows opens the database in a folder, or in memory.
func openRows(folder string) (*rows, error) {
	source := fmt.Sprintf("file:standin-%d?mode=memory&cache=shared", databases.Add(1))
	if folder != "" {
		source = "file:" + filepath.Join(folder, "standin.db") + "?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(sqliteshim.ShimName, source)
	if err != nil {
		return nil, fmt.Errorf("open sqlite: %w", err)
	}
	// One connection: a database in memory lives as long as it, and SQLite has
	// one writer anyway.
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	return &rows{db: db}, nil
}

func (r *rows) close() error { return r.db.Close() }

func (r *rows) open(name string) (*sqlcatalog.Catalog, error) {
	c, err := sqlcatalog.NewCatalog(name, r.db, sqlcatalog.SQLite, iceberg.Properties{})
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", name, err)
	}
	return c, nil
}

// location gives where the table's metadata is; "" when there is no such table.
func (r *rows) location(ctx context.Context, t Table) (string, error) {
	var location sql.NullString
	err := r.db.QueryRowContext(ctx,
		`SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`,
		t.Catalog, rowKey(t.Namespace), t.Name).Scan(&location)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read table row: %w", err)
	}
	return location.String, nil
}

// insert adds a table; false when there is one of that name.
func (r *rows) insert(ctx context.Context, t Table, location string) (bool, error) {
	return r.changed(ctx,
		`INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, iceberg_type, metadata_location)
		 VALUES (?, ?, ?, 'TABLE', ?) ON CONFLICT DO NOTHING`,
		t.Catalog, rowKey(t.Namespace), t.Name, location)
}

// swap points the table to other metadata; false when it does not point to the
// old one any more.
func (r *rows) swap(ctx context.Context, t Table, from, to string) (bool, error) {
	return r.changed(ctx,
		`UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
		 WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`,
		to, from, t.Catalog, rowKey(t.Namespace), t.Name, from)
}

// remove drops the row; false when there was none.
func (r *rows) remove(ctx context.Context, t Table) (bool, error) {
	return r.changed(ctx,
		`DELETE FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`,
		t.Catalog, rowKey(t.Namespace), t.Name)
}

// rename moves the row; false when there is none to move.
func (r *rows) rename(ctx context.Context, from, to Table) (bool, error) {
	return r.changed(ctx,
		`UPDATE iceberg_tables SET table_namespace = ?, table_name = ?
		 WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`,
		rowKey(to.Namespace), to.Name, from.Catalog, rowKey(from.Namespace), from.Name)
}

func (r *rows) changed(ctx context.Context, statement string, args ...any) (bool, error) {
	result, err := r.db.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, fmt.Errorf("change table row: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("count changed rows: %w", err)
	}
	return n > 0, nil
}

// rowKey is how iceberg-go's SQL catalog writes a namespace: levels joined by
// dots, and as JSON behind a marker where a level has a dot itself
// (namespaceToString in catalog/sql/sql.go of v0.7.0).
func rowKey(namespace []string) string {
	const marker = "__iceberg_namespace_v1__:"
	plain := strings.Join(namespace, ".")
	dotted := slices.ContainsFunc(namespace, func(level string) bool { return strings.Contains(level, ".") })
	if !dotted && !strings.Contains(plain, marker) {
		return plain
	}
	encoded, _ := json.Marshal(namespace) // strings cannot fail
	return marker + string(encoded)
}
