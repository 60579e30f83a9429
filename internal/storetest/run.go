package storetest

import (
	"cmp"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// Run tests a store; each case is a subtest of its own.
func Run(t *testing.T, store Store) {
	store.Objects = cmp.Or(store.Objects, 2100)
	store.Batch = cmp.Or(store.Batch, 1)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, store) })
	}
}

// cases are the suite, in the order in which they run.
var cases = []struct {
	name string
	run  func(t *testing.T, store Store)
}{
	{"WhatIsWrittenIsReadAndListed", writtenIsRead},
	{"PartsOfAnObjectAreRead", partsAreRead},
	{"ManyObjectsAreListedAndDeleted", manyAreListedAndDeleted},
	{"EachKeyOfABatchHasItsOwnResult", keysHaveResults},
	{"NothingOutsideOfTheGuardIsTouched", nothingOutside},
	{"AnObjectIsMoved", objectIsMoved},
	{"AMoveWritesNothingOverAndLosesNoChange", moveIsConditional},
	{"TheStoreTellsTheTime", storeTellsTime},
	{"ABucketThatIsNotThereIsNamed", noBucket},
	{"AStoreThatAsksToSlowDownIsObeyed", throttled},
	{"WrongCredentialsAreDeniedWithoutASecret", wrongCredentials},
	{"OddKeysAreWhatTheyAre", oddKeys},
	{"OddKeysAreDeletedAndNothingBesideThem", oddKeysAreDeleted},
}

// Lab is a session whose guard is a folder of the store.
type Lab struct {
	*storage.Session
	// Root is the folder that the guard allows to write, Beside one next to it that
	// may only be read.
	Root, Beside storage.Location
	// Limiters hold the bucket's limiter.
	Limiters *storage.Limiters

	store  Store
	stores *storage.Stores
}

// Open makes a session on a new folder of the store, reached at an endpoint; change
// may alter the configuration before.
func Open(t testing.TB, store Store, endpoint string, change func(*storage.Config)) *Lab {
	t.Helper()
	return open(t, store, store.Config(endpoint), change)
}

func open(t testing.TB, store Store, cfg storage.Config, change func(*storage.Config)) *Lab {
	t.Helper()
	cfg.Name, cfg.Locations = "lake", []string{store.Root}
	cfg.Retries, cfg.RetryFor = cmp.Or(cfg.Retries, 2), cmp.Or(cfg.RetryFor, 5*time.Second)
	if change != nil {
		change(&cfg)
	}
	root, err := storage.Parse(store.Root)
	require.NoError(t, err)
	name := strings.NewReplacer("/", "-", "#", "-").Replace(t.Name())
	l := &Lab{Root: root.Join(name).Join("t"), Beside: root.Join(name).Join("t2"), store: store}
	guard, err := storage.NewGuard(store.Root)
	require.NoError(t, err)
	guard, err = guard.Narrow(l.Root.String())
	require.NoError(t, err)
	l.Limiters = storage.NewLimiters()
	l.stores, err = storage.NewStores(cfg, l.Limiters)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.stores.Close()) })
	l.Session = l.stores.Session(storage.SessionConfig{Guard: guard, Logger: slog.New(slog.DiscardHandler)})
	return l
}

// Put makes an object of that name in the lab's folder.
func (l *Lab) Put(t testing.TB, name, content string) storage.Location {
	t.Helper()
	at := l.Root.Join(name)
	l.PutAt(t, at, content)
	return at
}

// PutAt makes an object at a location that the guard allows.
func (l *Lab) PutAt(t testing.TB, at storage.Location, content string) {
	t.Helper()
	if l.store.Put != nil {
		require.NoError(t, l.store.Put(at.Key, []byte(content)))
		return
	}
	require.NoError(t, l.Write(t.Context(), at, []byte(content)), "%q", at.Key)
}

// Content reads an object.
func (l *Lab) Content(t testing.TB, at storage.Location) string {
	t.Helper()
	body, info, err := l.Open(t.Context(), at)
	require.NoError(t, err, "%q", at.Key)
	defer body.Close()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	if info.Size >= 0 {
		require.EqualValues(t, len(data), info.Size)
	}
	return string(data)
}

// name is that below the lab's folder.
func (l *Lab) name(at storage.Location) string { return strings.TrimPrefix(at.Key, l.Root.Key+"/") }

// Names lists what lies in the lab's folder, by the names below it, sorted.
func (l *Lab) Names(t testing.TB) []string {
	t.Helper()
	names := []string{}
	for o, err := range l.List(t.Context(), l.Root) {
		require.NoError(t, err)
		names = append(names, l.name(o.Location))
	}
	slices.Sort(names)
	return names
}
