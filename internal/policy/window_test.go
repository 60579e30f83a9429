package policy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return moment
}

func TestAWindowOpensByItsOwnClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ window, from, want string }{
		{"22:00-06:00", "2026-03-02T12:00:00Z", "2026-03-02T22:00:00Z"},
		{"22:00-06:00", "2026-03-02T23:00:00Z", "2026-03-02T23:00:00Z"},
		{"22:00-06:00", "2026-03-02T05:59:59Z", "2026-03-02T05:59:59Z"},
		{"22:00-06:00", "2026-03-02T06:00:00Z", "2026-03-02T22:00:00Z"},
		// Saturday morning still belongs to Friday night.
		{"Mon-Fri 22:00-06:00 Europe/Berlin", "2026-03-07T03:00:00Z", "2026-03-07T03:00:00Z"},
		{"Mon-Fri 22:00-06:00 Europe/Berlin", "2026-03-07T05:00:00Z", "2026-03-09T21:00:00Z"},
		{"Fri-Mon 00:00-24:00", "2026-03-04T10:00:00Z", "2026-03-06T00:00:00Z"},
		{"Sun 01:00-02:00; Wed,Thu 03:00-04:00", "2026-03-02T00:00:00Z", "2026-03-04T03:00:00Z"},
		// Summer time in Berlin begins on 2026-03-29 at 02:00.
		{"Sun 03:00-04:00 Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-29T01:00:00Z"},
	} {
		w, err := ParseWindow(c.window)
		require.NoError(t, err, c.window)
		require.Equal(t, c.want, w.Next(at(t, c.from)).Format(time.RFC3339), "%s from %s", c.window, c.from)
	}
}

func TestAScheduleComesByItsOwnClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schedule, after, want, text string }{
		{"0 3 * * *", "2026-03-02T03:00:00Z", "2026-03-03T03:00:00Z", "0 3 * * * UTC"},
		{"0 3 * * * Europe/Berlin", "2026-03-02T00:00:00Z", "2026-03-02T02:00:00Z", "0 3 * * * Europe/Berlin"},
		{"0 3 * * * Europe/Berlin", "2026-07-02T00:00:00Z", "2026-07-02T01:00:00Z", "0 3 * * * Europe/Berlin"},
		{"CRON_TZ=America/New_York @daily", "2026-03-02T00:00:00Z", "2026-03-02T05:00:00Z", "@daily America/New_York"},
		{"30 1 * * Mon-Fri UTC", "2026-03-06T12:00:00Z", "2026-03-09T01:30:00Z", "30 1 * * Mon-Fri UTC"},
	} {
		s, err := ParseSchedule(c.schedule)
		require.NoError(t, err, c.schedule)
		require.Equal(t, c.want, s.Next(at(t, c.after)).Format(time.RFC3339), c.schedule)
		require.Equal(t, c.text, s.String())
		again, err := ParseSchedule(s.String())
		require.NoError(t, err)
		require.Equal(t, c.text, again.String())
	}
}

func TestADurationIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want, err := milliseconds(rapid.Int64Range(0, int64(forever/time.Millisecond)).Draw(t, "ms"))
		require.NoError(t, err)
		got, err := parseDuration(formatDuration(want))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	for text, want := range map[string]string{"5d": "5d", "0s": "0s", "1.5d": "1d12h", "36h": "1d12h", "90m": "1h30m", "forever": "forever", "10m": "10m", "20h": "20h"} {
		d, err := parseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, formatDuration(d), text)
	}
}
