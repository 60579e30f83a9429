package metastore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"deckhand/internal/storage"
)

// Catalogs are the names of the catalogs by realm and id, and where each may
// keep tables.
type Catalogs struct{ rows []catalogRow }

type catalogRow struct {
	realm     string
	id        int64
	name      string
	locations []string
}

// Catalogs reads all catalogs.
func (s *Store) Catalogs(ctx context.Context) (*Catalogs, error) {
	rows, err := s.conn.Query(ctx, `
		SELECT realm_id, id, name, internal_properties FROM polaris_schema.entities
		WHERE type_code = $1 ORDER BY realm_id, id`, typeCatalog)
	if err != nil {
		return nil, fmt.Errorf("read catalogs: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (catalogRow, error) {
		var c catalogRow
		var internal []byte
		if err := row.Scan(&c.realm, &c.id, &c.name, &internal); err != nil {
			return c, err
		}
		if info, err := readStorage(stringsOf(internal)["storage_configuration_info"]); err == nil {
			c.locations = info.AllowedLocations
		}
		return c, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read catalogs: %w", err)
	}
	return &Catalogs{found}, nil
}

// Name of a catalog; false if it is gone.
func (c *Catalogs) Name(realm string, id int64) (string, bool) {
	for _, row := range c.rows {
		if row.realm == realm && row.id == id {
			return row.name, true
		}
	}
	return "", false
}

// At is the one catalog of a realm that may keep a table at a location. Rows of
// sub-tasks say nothing else of their catalog. false: there is none, or more than
// one.
func (c *Catalogs) At(realm, location string) (string, bool) {
	table, err := storage.Parse(location)
	if err != nil {
		return "", false
	}
	name, count := "", 0
	for _, row := range c.rows {
		if row.realm == realm && row.allows(table) {
			name = row.name
			count++
		}
	}
	return name, count == 1
}

func (c catalogRow) allows(table storage.Location) bool {
	for _, allowed := range c.locations {
		if root, err := storage.Parse(allowed); err == nil && (table.Within(root) || table.Same(root)) {
			return true
		}
	}
	return false
}
