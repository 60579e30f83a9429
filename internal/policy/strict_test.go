package policy

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireRefused reads each config of a policy of the kind and looks for the text
// in its error.
func requireRefused(t *testing.T, kind Kind, refused map[string]string) {
	t.Helper()
	for config, want := range refused {
		_, err := readOne(t, kind, `{"enable":true,"config":{`+config+`}}`)
		require.ErrorContains(t, err, want, config)
	}
}

func TestATimeLongAgoIsNoAgeOfZero(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z", "0001-01-01T01:00:00+01:00", "0000-12-31T23:00:00-01:00",
		"0000-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59",
	} {
		requireRefused(t, ExpireKind, map[string]string{`"older-than":"` + text + `"`: "between the years 1970 and 9999"})
		requireRefused(t, OrphansKind, map[string]string{`"older-than":"` + text + `"`: "between the years 1970 and 9999"})
		_, err := ParseSet(ExpireKind, []string{"older-than=" + text})
		require.ErrorContains(t, err, "between the years 1970 and 9999")
	}
	requireRefused(t, ExpireKind, map[string]string{
		`"older-than":"2026-01-01T1:00:00Z"`:       "neither a duration",
		`"older-than":"2026-01-01T01:00:00,5Z"`:    "neither a duration",
		`"older-than":"2026-01-01T01:00:00+24:00"`: "neither a duration",
		`"older-than":"2026-01-01T01:00:00"`:       "neither a duration",
	})
}

func TestATinyAgeIsNotRoundedToNothing(t *testing.T) {
	t.Parallel()
	requireRefused(t, ExpireKind, map[string]string{
		`"max-snapshot-age-days":1e-9`:        "finer than a millisecond",
		`"max-snapshot-age-days":-1e-9`:       "finer than a millisecond",
		`"max-snapshot-age-days":1e-400`:      "finer than a millisecond",
		`"max-snapshot-age":"0.000000001d"`:   "finer than a millisecond",
		`"max-snapshot-age":"0.00000000001s"`: "finer than a millisecond",
		`"max-snapshot-age":"1ns"`:            "finer than a millisecond",
		`"older-than":"999us"`:                "finer than a millisecond",
		`"max-ref-age":"1.5ms"`:               "finer than a millisecond",
	})
	for config, want := range map[string]time.Duration{
		`"max-snapshot-age-days":0`: 0, `"max-snapshot-age-days":0.0e5`: 0, `"max-snapshot-age":"0s"`: 0, `"max-snapshot-age":"0d0h0.0s"`: 0,
		`"max-snapshot-age-days":1e-8`: time.Millisecond, `"max-snapshot-age":"1000us"`: time.Millisecond,
	} {
		got, err := readOne(t, ExpireKind, `{"enable":true,"config":{`+config+`}}`)
		require.NoError(t, err, config)
		require.Equal(t, Expire{MaxSnapshotAge: &Age{Ago: want}}, got, config)
	}
	requireRefused(t, CompactKind, map[string]string{`"delete-ratio-threshold":1e-400`: "out of range"})
}

func TestDurationsWindowsAndSchedulesHaveOneReading(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"1_0d", "0x1p3d", "1e1d", "infd", "nand", ".d", "1.d", ".5d", "1.h", ".5h", "0", "5d0", "1d1d", "1h1h", "1m1h", "5m1d", "1 d", "5 d", "5d ", " 5d", "+5d", "5D", "١d", "1d-1h",
	} {
		requireRefused(t, ExpireKind, map[string]string{`"max-snapshot-age":"` + text + `"`: "is no duration"})
	}
	for _, text := range []string{"+1:00-02:00", "-1:00-02:00", "01:+1-02:00", "1 :00-02:00", "01:0x-02:00", "01-00-02:00", "22:00-06:00 localtime", "22:00-06:00 Local"} {
		_, err := ParseWindow(text)
		require.Error(t, err, text)
	}
	for _, text := range []string{
		"CRON_TZ=UTC 0 3 * * * Europe/Berlin", "TZ=UTC 0 3 * * * Europe/Berlin", "CRON_TZ=UTC 0 3 * * * UTC", "CRON_TZ=UTC TZ=UTC 0 3 * * *", "TZ=UTC @daily Europe/Berlin",
		"0 3 * * * localtime", "0 3 * * * posixrules",
	} {
		_, err := ParseSchedule(text)
		require.Error(t, err, text)
	}
	requireRefused(t, ExpireKind, map[string]string{`"snapshot-ids":"1,+5"`: "is no snapshot id", `"snapshot-ids":"1_0"`: "is no snapshot id"})
}

func TestAnEmptyListIsNotSilence(t *testing.T) {
	t.Parallel()
	requireRefused(t, OrphansKind, map[string]string{`"locations":[]`: `key "locations": it is empty`})
	requireRefused(t, ExpireKind, map[string]string{`"snapshot-ids":[]`: `key "snapshot-ids": it is empty`})
	requireRefused(t, ManifestsKind, map[string]string{`"sort-by":[]`: `key "sort-by": it is empty`})
	_, err := readContent(OrphansKind, `{"enable":true,"locations":[]}`)
	require.ErrorContains(t, err, `key "locations": it is empty`)
	_, err = ReadExpire(json.RawMessage(`{"snapshot-ids":[]}`))
	require.ErrorContains(t, err, `key "snapshot-ids": it is empty`)
}

func TestOneSnapshotIDMayBeANumber(t *testing.T) {
	t.Parallel()
	got, err := readOne(t, ExpireKind, `{"enable":true,"config":{"snapshot-ids":5}}`)
	require.NoError(t, err)
	require.Equal(t, Expire{SnapshotIDs: []int64{5}}, got)
	requireRefused(t, ExpireKind, map[string]string{`"snapshot-ids":0`: "is no snapshot id", `"snapshot-ids":5e3`: "is no snapshot id"})
}

func TestNegativeMillisecondsAreNamedAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	requireRefused(t, ExpireKind, map[string]string{
		`"max-snapshot-age-ms":-5`: `key "max-snapshot-age-ms": -5 is negative`,
		`"max-ref-age-ms":-1`:      `key "max-ref-age-ms": -1 is negative`,
	})
}

// A value that is allowed must count as said, also when it is 0: else a default
// would take its place. Flags are the exception, since false is their default.
func TestAValueOfZeroThatIsAllowedIsSaid(t *testing.T) {
	t.Parallel()
	for i := range Keys {
		key := &Keys[i]
		zero := map[ValueType]any{Whole: 0, Number: 0, Days: 0, Millis: 0, Duration: "0s", AgeOrTime: "0s"}
		for _, kind := range key.Kinds {
			for name, sp := range spellingsOf[kind] {
				value, hasZero := zero[sp.asType]
				if sp.key != key || !hasZero || key.PolicyOnly {
					continue
				}
				encoded, err := json.Marshal(value)
				require.NoError(t, err)
				c, err := readContent(kind, fmt.Sprintf(`{"enable":true,"config":{%q:%s}}`, name, encoded))
				if err != nil {
					require.ErrorContains(t, err, "too small", name)
					continue
				}
				settings := build(kind, c.reading.values)
				for field, v := range fields(reflect.ValueOf(settings)) {
					require.True(t, field != key.Name || !v.IsZero(), "%s: 0 counts as silence", name)
				}
				again, err := Read(kind, settings.Params())
				require.NoError(t, err)
				require.Equal(t, settings, again)
			}
		}
	}
}

func TestAKindWithoutSettingsIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Read("purge", nil)
	require.ErrorContains(t, err, "purge")
	_, err = ParseSet("purge", nil)
	require.ErrorContains(t, err, "purge")
}

// A dot in place of a hyphen does not make the key someone else's: a policy that
// means to keep more would be carried out by the default.
func TestAKeyOfOursIsNotForeignForADot(t *testing.T) {
	t.Parallel()
	requireRefused(t, ExpireKind, map[string]string{
		`"max-snapshot-age.days":30`:  `did you mean "max-snapshot-age-days"?`,
		`"max.snapshot.age.days":30`:  `did you mean "max-snapshot-age-days"?`,
		`"Max_Snapshot.Age_days":30`:  `did you mean "max-snapshot-age-days"?`,
		`"retain.last":30`:            `did you mean "retain-last"?`,
		`" retain.last":30`:           `unknown key " retain.last"`,
		`"retain\u200b.last":30`:      `unknown key`,
		`"acme.\nowner":30`:           `unknown key`,
		`"dry.run":true`:              `did you mean "dry-run"?`,
		`"max-snapshot-age.value":30`: `unknown key "max-snapshot-age.value"`,
		`"schedule.cron":"@daily"`:    `unknown key "schedule.cron"`,
		`"expire.retain-last":30`:     `did you mean "retain-last"?`,
	})
	c, err := readContent(ExpireKind, `{"enable":true,"config":{"acme.retain-last":30,"acme.owner":"x"}}`)
	require.NoError(t, err)
	require.Equal(t, []string{`key "acme.retain-last" is someone else's and left alone; ours is "retain-last"`}, c.reading.notes)
}
