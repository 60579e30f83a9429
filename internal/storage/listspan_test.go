package storage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASpanIsSplitWhereNamesCountOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, after, until, want string }{
		{"t/00001", "t/01000", "", "t/5"},
		{"t/00001", "t/01000", "t/5", "t/2"},
		{"t/00001", "t/01000", "t/1", "t/05"},
		{"t/00001", "t/01000", "t/02", ""},
		{"t/00001", "t/01000", "t/010", ""}, // no further than the page led
		{"t/Aa", "t/Bz", "", "t/N"},
		{"t/y-a", "t/z-b", "", ""},
		{"t/é1", "t/é3", "", "t/é6"},
		{"t/a", "t/a", "", "t/n"}, // a page of one key
	} {
		s := &span{first: c.first, after: c.after, until: c.until}
		g, ok := s.guess(2)
		require.Equal(t, c.want, g.key, "%+v", c)
		require.Equal(t, c.want != "", ok)
		if ok {
			require.True(t, s.holds(g.key))
			child := s.split(g.key)
			require.Equal(t, span{after: g.key, until: c.until, child: true}, *child)
			require.Equal(t, g.key, s.until)
		}
	}
}

func TestASpanTakesWhatLiesBeforeItsEndAndTheEndItself(t *testing.T) {
	t.Parallel()
	page := []entry{{key: "b"}, {key: "c"}, {key: "e"}}
	for _, c := range []struct {
		until string
		want  int
		ends  bool
	}{{"", 3, false}, {"f", 3, false}, {"e", 3, true}, {"d", 2, true}, {"c", 2, true}, {"a", 0, true}} {
		s := &span{until: c.until}
		entries, ends := s.take(page)
		require.Len(t, entries, c.want, c.until)
		require.Equal(t, c.ends, ends, c.until)
	}
}
