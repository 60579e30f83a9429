package metastore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The versions of Polaris' JDBC schema in which the columns that are read here
// are known: 1 is that of Polaris 1.0, 7 the newest that has been looked at.
const (
	oldestSchema = 1
	newestSchema = 7
)

// ErrUnknownSchema says that the database holds no metastore of a version that
// this package knows. Nothing has been read or changed then.
var ErrUnknownSchema = errors.New("not a metastore of a known version")

// ErrBadAddress says that the database's address cannot be read.
var ErrBadAddress = errors.New("the database's address is wrong")

// Type codes of entities.
const (
	typeCatalog   = 4
	typeTableLike = 7
	typeTask      = 8
)

// pageSize rows are read at a time, a few kilobytes each.
const pageSize = 500

// Store is a connection to a metastore. It is for one goroutine at a time.
type Store struct{ conn *pgx.Conn }

// Open connects and checks the schema's version. url is a PostgreSQL URL or a
// list of key=value; what it lacks comes from the variables PGHOST, PGUSER,
// PGPASSWORD and so on, and from the password file, as for psql. The error wraps
// [ErrBadAddress], or [ErrUnknownSchema] when the database is not what is
// expected; it never holds the password.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadAddress, err)
	}
	config.RuntimeParams["application_name"] = "deckhand"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to database: %w", err)
	}
	s := &Store{conn}
	if err := s.checkVersion(ctx); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// Close ends the connection.
func (s *Store) Close(ctx context.Context) error {
	if err := s.conn.Close(ctx); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// PostgreSQL's codes for what is missing.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
	invalidSchema   = "3F000"
)

func (s *Store) checkVersion(ctx context.Context) error {
	var version int
	err := s.conn.QueryRow(ctx, `SELECT version_value FROM polaris_schema.version WHERE version_key = 'version'`).Scan(&version)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && (pg.Code == undefinedTable || pg.Code == undefinedColumn || pg.Code == invalidSchema):
		return fmt.Errorf("%w: there is no polaris_schema.version (%s); give the database that Polaris keeps its entities in",
			ErrUnknownSchema, pg.Message)
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w: polaris_schema.version is empty, so the schema's version cannot be told", ErrUnknownSchema)
	case err != nil:
		return fmt.Errorf("read schema version: %w", err)
	case version < oldestSchema || version > newestSchema:
		return fmt.Errorf("%w: the schema has version %d, and this program knows %d to %d; use a newer one",
			ErrUnknownSchema, version, oldestSchema, newestSchema)
	}
	return nil
}

// Now is the database's time, by which rows are told old from young.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := s.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("read the database's time: %w", err)
	}
	return now, nil
}

// Tasks yields every task row, of all realms or of one, by realm and id. An
// error ends it.
func (s *Store) Tasks(ctx context.Context, realm string) iter.Seq2[*Task, error] {
	return func(yield func(*Task, error) bool) {
		after, afterID := "", int64(-1<<63)
		for {
			page, err := s.page(ctx, realm, after, afterID)
			if err != nil {
				yield(nil, fmt.Errorf("read tasks: %w", err))
				return
			}
			for _, task := range page {
				if !yield(task, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last := page[len(page)-1]
			after, afterID = last.Realm, last.ID
		}
	}
}

func (s *Store) page(ctx context.Context, realm, after string, afterID int64) ([]*Task, error) {
	rows, err := s.conn.Query(ctx, `
		SELECT realm_id, id, name, entity_version, create_timestamp, last_update_timestamp, properties, internal_properties
		FROM polaris_schema.entities
		WHERE type_code = $1 AND (realm_id, id) > ($2, $3) AND ($4 = '' OR realm_id = $4)
		ORDER BY realm_id, id LIMIT $5`, typeTask, after, afterID, realm, pageSize)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Task, error) {
		var created, updated int64
		var properties, internal []byte
		task := &Task{}
		if err := row.Scan(&task.Realm, &task.ID, &task.Name, &task.Version, &created, &updated, &properties, &internal); err != nil {
			return nil, err
		}
		task.Created, task.Written = time.UnixMilli(created), time.UnixMilli(max(created, updated))
		task.properties, task.internal = stringsOf(properties), stringsOf(internal)
		return task, nil
	})
}

// Delete removes a row if it still is as it was read. false: somebody else has
// changed or removed it.
func (s *Store) Delete(ctx context.Context, task *Task) (bool, error) {
	tag, err := s.conn.Exec(ctx, `
		DELETE FROM polaris_schema.entities
		WHERE realm_id = $1 AND id = $2 AND type_code = $3 AND entity_version = $4`,
		task.Realm, task.ID, typeTask, task.Version)
	if err != nil {
		return false, fmt.Errorf("delete task %d: %w", task.ID, err)
	}
	return tag.RowsAffected() > 0, nil
}
