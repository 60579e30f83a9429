package pulltest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"deckhand/internal/policy"
	"deckhand/internal/standin"
	"deckhand/internal/tabletest/icebergtable"
)

// Lake is a catalog named lake.
type Lake struct {
	// Folder holds the warehouse, the configuration and the credential.
	Folder string
	// Config is the path of a configuration that has the catalog.
	Config string
	// Credential of the principal in the configuration, client_id:client_secret.
	Credential string
	Server     *standin.Server
}

// New starts the stand-in with the catalog. more is YAML that is added to the
// configuration, as more keys of the catalog or of its own.
func New(t testing.TB, more string) *Lake {
	t.Helper()
	l := &Lake{Folder: t.TempDir()}
	l.Server = standin.Start(t, standin.Options{Catalogs: []standin.Catalog{{Name: "lake", Location: "file://" + l.Warehouse()}}})
	var err error
	l.Credential, err = l.Server.CreatePrincipal("maint", "lake", standin.MaintenanceGrants...)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(l.Folder, "credential.txt"), []byte(l.Credential+"\n"), 0o600))
	l.Config = l.Configure(t, "deckhand.yaml", fmt.Sprintf("catalogs:\n  lake:\n    rest: { uri: %s, warehouse: lake, credential_file: credential.txt, requests_per_second: 1000 }\n%s", l.Server.URI(), more))
	return l
}

// Configure writes a file of the folder and gives its path.
func (l *Lake) Configure(t testing.TB, name, yaml string) string {
	t.Helper()
	path := filepath.Join(l.Folder, name)
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	return path
}

// Warehouse is the folder of the tables.
func (l *Lake) Warehouse() string { return filepath.Join(l.Folder, "warehouse") }

// In names a table of the catalog, its namespace first.
func In(levels ...string) standin.Table {
	last := len(levels) - 1
	return standin.Table{Catalog: "lake", Namespace: levels[:last], Name: levels[last]}
}

// Empty makes a table that is metadata alone, with snapshots of these ages, the
// oldest first, all on main.
func (l *Lake) Empty(t testing.TB, table standin.Table, now time.Time, ages ...time.Duration) {
	t.Helper()
	id := uuid.NewString()
	path := filepath.Join(l.Warehouse(), id, "metadata", "00000-"+id+".metadata.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, Metadata(id, "file://"+filepath.Join(l.Warehouse(), id), now, ages), 0o600))
	require.NoError(t, l.Server.Register(t.Context(), table, "file://"+path))
}

// Written makes a table with all its files; the options' location is chosen.
func (l *Lake) Written(t testing.TB, table standin.Table, o icebergtable.Options) *icebergtable.Table {
	t.Helper()
	o.Location = "file://" + filepath.Join(l.Warehouse(), filepath.Join(table.Namespace...), table.Name)
	written, err := icebergtable.Write(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, written.Objects.WriteFolder())
	require.NoError(t, l.Server.Register(t.Context(), table, written.MetadataLocation))
	return written
}

// Expiry is a policy of snapshot expiry that lives in the namespace "policies".
func Expiry(name, content string) standin.Policy { return Policy(policy.ExpireKind, name, content) }

// Policy for a kind of maintenance that lives in the namespace "policies".
func Policy(kind policy.Kind, name, content string) standin.Policy {
	return standin.Policy{Catalog: "lake", Namespace: []string{"policies"}, Name: name, Type: policy.Type(kind), Content: content}
}

// FiveDays is the content of a policy that expires what is older.
const FiveDays = `{"version":"2025-02-03","enable":true,"config":{"max-snapshot-age-days":5}}`

// Attach puts a policy on a target; once more, it changes the policy.
func (l *Lake) Attach(t testing.TB, p standin.Policy, target standin.Target) {
	t.Helper()
	require.NoError(t, l.Server.PutPolicy(p))
	_ = l.Server.Attach(p, target) // it may hang there already
}
