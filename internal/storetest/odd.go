package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// oddNames are names of objects that somebody may take for others, and those others.
var oddNames = []string{
	"a/b", "a//b", "a///b", "//a/b", "a%2Fb", "a%2fb", "a%252Fb", "a__0x2f__b", "a__0x2F__b",
	"plus+sign", "plus sign", "plus%20sign", "plus%2Bsign", " blank before", "blank after ",
	"question?mark=1", "hash#mark", "percent%", "percent%25", "amp&ersand", "less<than>", "quo\"te'", "back\\slash",
	"semi;colon", "col:on", "equals=sign", "star*", "pi|pe", "com,ma", "at@sign", "dollar$", "tilde~", "{curly}", "[square]", "^caret`",
	"caf\u00e9", "cafe\u0301", "日本/語", "emoji\U0001F600", "line\u2028separator", "non\uffffcharacter", "c1\u0085control",
	"tab\tin", "control\x01", "delete\x7f", "line\nfeed", "carriage\rreturn",
	"folder/", "folder", "prefix", "prefix/of another", "...", "..hidden", "dots..in", "a../b", "UPPER", "upper",
}

// longName makes the whole key 1,024 bytes long.
func (l *Lab) longName() string { return strings.Repeat("k", 1024-len(l.Root.Key)-1) }

// putOdd makes the objects that the store holds, each with its name as content, and
// sees the others refused. It gives the names of those that are there, sorted.
func (l *Lab) putOdd(t *testing.T) (held []string) {
	t.Helper()
	for _, name := range append(slices.Clone(oddNames), l.longName()) {
		at := l.Root.Join(name)
		fate := Held
		if l.store.Fate != nil {
			fate = l.store.Fate(name)
		}
		switch fate {
		case Held:
			l.Put(t, name, name)
			held = append(held, name)
		case Refused:
			err := l.Write(t.Context(), at, []byte(name))
			require.ErrorIs(t, err, storage.ErrRejected, "%q", name)
			require.NotEmpty(t, err.Error())
		}
	}
	slices.Sort(held)
	return held
}

func oddKeys(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	held := l.putOdd(t)
	require.Equal(t, held, l.Names(t))
	for _, name := range held {
		require.Equal(t, name, l.Content(t, l.Root.Join(name)), "%q", name)
	}
	found := []string{}
	for o, err := range l.ListParallel(t.Context(), l.Root, storage.ListConfig{}) {
		require.NoError(t, err)
		found = append(found, l.name(o.Location))
	}
	slices.Sort(found)
	require.Equal(t, held, found)
	for i, name := range held {
		if i%4 == 0 {
			require.NoError(t, l.Move(t.Context(), l.Root.Join(name), l.Root.Join("moved")), "%q", name)
			require.Equal(t, name, l.Content(t, l.Root.Join("moved")))
			require.NoError(t, l.Move(t.Context(), l.Root.Join("moved"), l.Root.Join(name)), "%q", name)
		}
	}
	require.Equal(t, held, l.Names(t))
}

// Every third key is deleted, in one go and singly, so that one that is taken for
// another is missed.
func oddKeysAreDeleted(t *testing.T, store Store) {
	l := Open(t, store, store.Endpoint, nil)
	held := l.putOdd(t)
	for third := range 3 {
		var asked []storage.Location
		var left []string
		for i, name := range held {
			switch {
			case i%3 == third:
				asked = append(asked, l.Root.Join(name))
			case i%3 > third:
				left = append(left, name)
			}
		}
		if third == 1 {
			for _, at := range asked {
				require.NoError(t, l.Delete(t.Context(), []storage.Location{at})[0].Err, "%q", at.Key)
			}
		} else {
			for _, r := range l.Delete(t.Context(), asked) {
				require.NoError(t, r.Err, "%q", r.Location.Key)
			}
		}
		require.Equal(t, append([]string{}, left...), l.Names(t))
	}
}
