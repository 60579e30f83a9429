package conformance

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
	"deckhand/internal/secret"
)

// forbidden asks as principals who may do less.
func (s *suite) forbidden(t *testing.T) {
	w := s.newTable(t, "2", []string{"forbidden"}, "t")
	w.grow(1)
	as := func(name string, privileges ...string) *polaris.Client {
		credential := s.makePrincipal(t, name, privileges...)
		return s.connect(t, func(c *polaris.Config) { c.Credential = secret.String(credential) })
	}
	missing := func(err error, operation, privilege string) {
		t.Helper()
		require.ErrorIs(t, err, polaris.ErrForbidden)
		var forbidden *polaris.ForbiddenError
		require.True(t, errors.As(err, &forbidden), "%v", err)
		require.Equal(t, operation, forbidden.Operation)
		require.Equal(t, privilege, forbidden.Privilege)
		require.NotEmpty(t, forbidden.Grant)
	}
	load := func(c *polaris.Client, o polaris.LoadOptions) error {
		_, err := c.Load(t.Context(), w.id(), o)
		return err
	}
	nobody := as("nobody")
	_, err := firstOf(nobody.Namespaces(t.Context(), nil))
	missing(err, "LIST_NAMESPACES", "NAMESPACE_LIST")
	_, err = firstOf(nobody.Tables(t.Context(), w.namespace))
	missing(err, "LIST_TABLES", "TABLE_WRITE_DATA")
	missing(load(nobody, polaris.LoadOptions{}), "LOAD_TABLE", "TABLE_WRITE_DATA")

	reader := as("reader", "TABLE_READ_PROPERTIES")
	require.NoError(t, load(reader, polaris.LoadOptions{}))
	missing(load(reader, polaris.LoadOptions{Vend: true}), "LOAD_TABLE_WITH_READ_DELEGATION", "TABLE_WRITE_DATA")
	_, err = reader.Commit(t.Context(), w.id(), nil, setProperty("a", "b"))
	missing(err, "SET_TABLE_PROPERTIES", "TABLE_WRITE_DATA")
	loaded, err := reader.Load(t.Context(), w.id(), polaris.LoadOptions{})
	require.NoError(t, err)
	missing(reader.MayCommit(t.Context(), w.id(), loaded.Metadata), "REMOVE_TABLE_SNAPSHOTS", "TABLE_WRITE_DATA")
	_, err = reader.Policies(t.Context(), w.id())
	require.NoError(t, err)
}

// access tries what nobody has, and what is not there.
func (s *suite) access(t *testing.T) {
	w := s.newTable(t, "2", []string{"access"}, "t")
	load := func(change func(*polaris.Config)) error {
		_, err := s.connect(t, change).Load(t.Context(), w.id(), polaris.LoadOptions{})
		return err
	}
	require.ErrorIs(t, load(func(c *polaris.Config) { c.Credential += "wrong" }), polaris.ErrUnauthorized)
	require.ErrorIs(t, load(func(c *polaris.Config) { c.Credential = "nobody:nothing" }), polaris.ErrUnauthorized)
	require.ErrorIs(t, load(func(c *polaris.Config) { c.Warehouse = "no-such" }), polaris.ErrNoCatalog)
	if s.Realm != "" {
		require.ErrorIs(t, load(func(c *polaris.Config) { c.Realm = "NOWHERE" }), polaris.ErrNoRealm)
	}
	require.ErrorIs(t, load(func(c *polaris.Config) { c.Scope = "catalog" }), polaris.ErrUnauthorized, "no such scope")

	// a role that is not the principal's gets a token all the same, and a 401 without
	// a word with every call
	require.ErrorIs(t, load(func(c *polaris.Config) { c.Scope = "PRINCIPAL_ROLE:no_such_role" }), polaris.ErrUnauthorized)
}
