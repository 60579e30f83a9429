package policy

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

func readOne(t *testing.T, kind Kind, text string) (Settings, error) {
	t.Helper()
	c, err := readContent(kind, text)
	if err != nil {
		return nil, err
	}
	return build(kind, c.reading.values), nil
}

// polarisExamples are the examples of Polaris' own schemas (policies/system/*,
// version 2025-02-03) without their key "key1", which stands for any key.
var polarisExamples = map[Kind]string{
	ExpireKind:    `{"version":"2025-02-03","enable":true,"config":{"min_snapshot_to_keep":1,"max_snapshot_age_days":2,"max_ref_age_days":3}}`,
	OrphansKind:   `{"version":"2025-02-03","enable":true,"max_orphan_file_age_in_days":30,"locations":["s3://my-bucket/my-table-location"],"config":{"prefix_mismatch_mode":"ignore"}}`,
	ManifestsKind: `{"version":"2025-02-03","enable":true,"config":{"spec_id":1}}`,
	CompactKind:   `{"version":"2025-02-03","enable":true,"config":{"target_file_size_bytes":134217728,"compaction_strategy":"bin-pack","max-concurrent-file-group-rewrites":5}}`,
}

func TestPolarisOwnExamplesAreRead(t *testing.T) {
	t.Parallel()
	one := 1
	for kind, want := range map[Kind]Settings{
		ExpireKind:    Expire{MinSnapshotsToKeep: 1, MaxSnapshotAge: &Age{Ago: 2 * day}, MaxRefAge: 3 * day},
		OrphansKind:   Orphans{OlderThan: &Age{Ago: 30 * day}, Locations: []string{"s3://my-bucket/my-table-location"}, PrefixMismatchMode: "IGNORE"},
		ManifestsKind: Manifests{SpecID: &one},
		CompactKind:   Compact{TargetFileSizeBytes: 134217728, Strategy: "binpack", MaxConcurrentFileGroupRewrites: 5},
	} {
		got, err := readOne(t, kind, polarisExamples[kind])
		require.NoError(t, err, kind)
		require.Equal(t, want, got, kind)
	}
}

func TestTheFreeKeyOfPolarisExamplesIsUnknown(t *testing.T) {
	t.Parallel()
	for kind, text := range polarisExamples {
		_, err := readOne(t, kind, strings.Replace(text, `"config":{`, `"config":{"key1":"value1",`, 1))
		require.ErrorContains(t, err, `unknown key "key1"`, kind)
	}
}

func TestAKeyIsReadWithUnderscoresAndHyphens(t *testing.T) {
	t.Parallel()
	for i := range Keys {
		key := &Keys[i]
		for _, kind := range key.Kinds {
			for name, sp := range spellingsOf[kind] {
				if sp.key != key {
					continue
				}
				for _, written := range []string{name, strings.ReplaceAll(name, "-", "_")} {
					value, err := json.Marshal(sample(key, sp.asType))
					require.NoError(t, err)
					c, err := readContent(kind, `{"enable":true,"config":{"`+written+`":`+string(value)+`}}`)
					require.NoError(t, err, "%s %s", kind, written)
					require.Contains(t, c.reading.values, key.Name)
					if !key.PolicyOnly && !key.NoEffect {
						require.NotEqual(t, emptySettings[kind], build(kind, c.reading.values), "%s %s has no field", kind, written)
					}
				}
			}
		}
	}
}

// sample value of a key that is allowed.
func sample(key *Key, as ValueType) any {
	if key.Choices != nil {
		return key.Choices[0]
	}
	switch as {
	case Whole:
		return max(1, int64(key.Least))
	case Number:
		return 0.5
	case Flag:
		return true
	case Days:
		return 3.5
	case Millis:
		return 86400001
	case Duration, AgeOrTime:
		return "3d12h"
	case IDs:
		return "1, 9223372036854775807"
	case Pairs:
		return "s3a,s3n=s3; a=b"
	case Cron:
		return "0 3 * * * Europe/Berlin"
	case Hours:
		return "Mon-Fri 22:00-06:00 Europe/Berlin"
	}
	return "s3://b/t"
}

func TestWhatPolarisLetsThroughIsAnError(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"enable":"true"}`:                      `key "enable": want true or false, not the text "true"`,
		`{"enable":1}`:                           `key "enable": want true or false, not the number 1`,
		`{"enable":null}`:                        `key "enable": want true or false, not null`,
		`{}`:                                     `"enable" is missing`,
		`{"enable":true,"enable":false}`:         `key "enable" is there twice`,
		`{"enable":true,"config":null}`:          `key "config": want an object`,
		`{"enable":true,"config":[]}`:            `key "config": want an object`,
		`{"version":"2026-01-01","enable":true}`: `key "version": want "2025-02-03", not the text "2026-01-01"`,
		`{"version":null,"enable":true}`:         `key "version": want "2025-02-03", not null`,
		`{"enable":true,"schedule":"@daily"}`:    `key "schedule" belongs into config`,
		`{"enable":true,"enabel":true}`:          `unknown key "enabel"; did you mean "enable"?`,
		`{"enable":true`:                         `it is not JSON: it ends too early`,
		`{"enable":true,}`:                       `it is not JSON`,
		`{"enable":true} {}`:                     `something follows`,
		`true`:                                   `want a JSON object`,
		``:                                       `it ends too early`,
		"{\"enable\":true,\"config\":{\"a\xff\":1}}": `not UTF-8`,

		`{"enable":true,"config":{"max-snapshot-age-days":"7"}}`:                         `key "max-snapshot-age-days": want a number of days, not the text "7"`,
		`{"enable":true,"config":{"max-snapshot-age-days":null}}`:                        `key "max-snapshot-age-days": want a number of days, not null`,
		`{"enable":true,"config":{"max-snapshot-age-days":-1}}`:                          `too small`,
		`{"enable":true,"config":{"max-snapshot-age-days":1e9}}`:                         `more than can be counted`,
		`{"enable":true,"config":{"max-snapshot-age-days":2,"max-snapshot-age-days":3}}`: `key "max-snapshot-age-days" is there twice`,
		`{"enable":true,"config":{"max_snapshot_age_days":2,"max-snapshot-age-days":3}}`: `keys "max_snapshot_age_days" and "max-snapshot-age-days" are the same setting`,
		`{"enable":true,"config":{"older-than":"5d","max-snapshot-age":"5d"}}`:           `keys "older-than" and "max-snapshot-age" are the same setting`,
		`{"enable":true,"config":{"retain-last":2,"min_snapshot_to_keep":2}}`:            `the same setting`,
		`{"enable":true,"config":{"max-snapshot-age":5}}`:                                `want a duration with its unit`,
		`{"enable":true,"config":{"max-snapshot-age":"5"}}`:                              `"5" is no duration with its unit`,
		`{"enable":true,"config":{"max-snapshot-age":"-5d"}}`:                            `no duration`,
		`{"enable":true,"config":{"older-than":"2026-01-01 00:00:00"}}`:                  `nor a time with its zone`,
		`{"enable":true,"config":{"min-snapshots-to-keep":0}}`:                           `0 is too small; the least is 1`,
		`{"enable":true,"config":{"min-snapshots-to-keep":2.5}}`:                         `want a whole number, not the number 2.5`,
		`{"enable":true,"config":{"min-snapshots-to-keep":true}}`:                        `want a whole number, not true`,
		`{"enable":true,"config":{"min-snapshots-to-keep":99999999999999999999}}`:        `want a whole number`,
		`{"enable":true,"config":{"min-snapshots-to-keep":{"a":1}}}`:                     `want a whole number, not an object`,
		`{"enable":true,"config":{"max-ref-age-days":0}}`:                                `too small; the least is 1ms`,
		`{"enable":true,"config":{"dry-run":"true"}}`:                                    `key "dry-run": want true or false`,
		`{"enable":true,"config":{"snapshot-ids":"1,x"}}`:                                `"x" is no snapshot id`,
		`{"enable":true,"config":{"max-snapshot-agee":"5d"}}`:                            `unknown key "max-snapshot-agee"; did you mean "max-snapshot-age"?`,
		`{"enable":true,"config":{"Max-Snapshot-Age":"5d"}}`:                             `did you mean "max-snapshot-age"?`,
		`{"enable":true,"config":{"deckhand.shedule":"@daily"}}`:                         `did you mean "schedule"?`,
		`{"enable":true,"config":{"history.expire.max-snapshot-age-ms":1}}`:              `that is a table property; here it is "max-snapshot-age"`,
		`{"enable":true,"config":{".x":1}}`:                                              `unknown key ".x"`,
		`{"enable":true,"config":{"schedule":"61 * * * *"}}`:                             `key "schedule"`,
		`{"enable":true,"config":{"schedule":"0 0 30 2 *"}}`:                             `never comes`,
		`{"enable":true,"config":{"schedule":"0 0 3 * * *"}}`:                            `"*" is no time zone`,
		`{"enable":true,"config":{"schedule":"@every 1h"}}`:                              `key "schedule"`,
		`{"enable":true,"config":{"schedule":"0 3 * * * Europe/Bärlin"}}`:                `is no time zone`,
		`{"enable":true,"config":{"schedule":"0 3 * * * Local"}}`:                        `is no time zone`,
		`{"enable":true,"config":{"window":"Mon-Fry 22:00-06:00"}}`:                      `"Mon-Fry" are no days`,
		`{"enable":true,"config":{"window":"22:00-25:00"}}`:                              `are no hours`,
		`{"enable":true,"config":{"window":"06:00-06:00"}}`:                              `no time at all`,
		`{"enable":true,"config":{"min-interval":"0s"}}`:                                 `too small`,
		`{"enable":true,"config":{"target_file_size_bytes":1}}`:                          `unknown key "target_file_size_bytes"`,
		`{"enable":true,"config":{"acme.a":1,"acme.a":2}}`:                               `key "acme.a" is there twice`,
	} {
		_, err := readOne(t, ExpireKind, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		`{"enable":true,"max_orphan_file_age_in_days":"7"}`:                               `want a number of days, not the text "7"`,
		`{"enable":true,"max_orphan_file_age_in_days":null}`:                              `not null`,
		`{"enable":true,"max_orphan_file_age_in_days":0.5}`:                               `12h is too small; the least is 1d`,
		`{"enable":true,"max_orphan_file_age_in_days":7,"max_orphan_file_age_in_days":8}`: `is there twice`,
		`{"enable":true,"max_orphan_file_age_in_days":7,"config":{"older-than":"8d"}}`:    `are the same setting`,
		`{"enable":true,"max_orphan_file_age_in_days":7,"max-orphan-file-age-in-days":8}`: `are the same setting`,
		`{"enable":true,"max_orphan_file_age_days":7}`:                                    `did you mean "max-orphan-file-age-in-days"?`,
		`{"enable":true,"locations":"s3://b/t","config":{"location":"s3://b/t"}}`:         `are the same setting`,
		`{"enable":true,"locations":[1]}`:                                                 `key "locations"`,
		`{"enable":true,"locations":[""]}`:                                                `empty`,
		`{"enable":true,"config":{"prefix_mismatch_mode":"warn"}}`:                        `"warn" is none of ERROR, IGNORE, DELETE`,
		`{"enable":true,"config":{"equal-schemes":"s3a"}}`:                                `want pairs`,
		`{"enable":true,"config":{"equal-schemes":"s3a=s3;s3a=s4"}}`:                      `there twice`,
		`{"enable":true,"config":{"quarantine":"0s"}}`:                                    `0s is too small; the least is 1s`,
		`{"enable":true,"config":{"quarantine":14}}`:                                      `want a duration with its unit`,
		`{"enable":true,"config":{"max-files":0}}`:                                        `0 is too small; the least is 1`,
		`{"enable":true,"config":{"max-filess":1}}`:                                       `did you mean "max-files"?`,
	} {
		_, err := readOne(t, OrphansKind, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		`{"enable":true,"config":{"compaction_strategy":"bin-peck"}}`:       `"bin-peck" is none of binpack, sort, zorder`,
		`{"enable":true,"config":{"delete-ratio-threshold":1.5}}`:           `too large`,
		`{"enable":true,"config":{"partial-progress.enbaled":true}}`:        `did you mean "partial-progress.enabled"?`,
		`{"enable":true,"config":{"write.target-file-size-bytes":1048576}}`: `here it is "target-file-size-bytes"`,
	} {
		_, err := readOne(t, CompactKind, text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	t.Parallel()
	_, err := readOne(t, ExpireKind, `{"enable":1,"config":{"retain-lost":1,"max-ref-age-days":"7"}}`)
	require.ErrorContains(t, err, `"enable"`)
	require.ErrorContains(t, err, `did you mean "retain-last"?`)
	require.ErrorContains(t, err, `"max-ref-age-days"`)
}

func TestThreeAndAHalfDaysAreANumber(t *testing.T) {
	t.Parallel()
	got, err := readOne(t, ExpireKind, `{"enable":true,"config":{"max_snapshot_age_days":3.5}}`)
	require.NoError(t, err)
	require.Equal(t, Expire{MaxSnapshotAge: &Age{Ago: 84 * time.Hour}}, got)
}

func TestKeysOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	got, err := readOne(t, ExpireKind, `{"enable":true,"config":{"spark.executor.memory":"4g","acme.owner":null,"acme.x":{"y":[1]},"retain_last":3}}`)
	require.NoError(t, err)
	require.Equal(t, Expire{MinSnapshotsToKeep: 3}, got)
}

func TestTheParamsOfAJobHaveNoForeignKeysAndNoSchedule(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"acme.owner":"x"}`:                `unknown key "acme.owner"`,
		`{"schedule":"@daily"}`:             `"schedule" is of policies`,
		`{"retain-last":"1"}`:               `want a whole number`,
		`{"retain-last":1,"retain-last":1}`: `there twice`,
		`[]`:                                `want a JSON object`,
		`null`:                              `want a JSON object`,
	} {
		_, err := ReadExpire(json.RawMessage(text))
		require.ErrorContains(t, err, want, text)
	}
	got, err := ReadExpire(nil)
	require.NoError(t, err)
	require.Equal(t, Expire{}, got)
}

func TestParamsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	seven, no, half, one := 7, false, 0.5, int64(1)
	for _, want := range []Settings{
		Expire{}, Orphans{}, Manifests{}, Compact{},
		Expire{
			MaxSnapshotAge: &Age{}, MinSnapshotsToKeep: 2, MaxRefAge: forever, SnapshotIDs: []int64{1, 9223372036854775807},
			CleanExpiredMetadata: true, MaxConcurrentDeletes: 4, DryRun: true,
		},
		Expire{MaxSnapshotAge: &Age{Before: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)}},
		Orphans{
			OlderThan: &Age{Ago: 30*time.Hour + time.Millisecond}, Locations: []string{"s3://b/t, with a comma"}, PrefixMismatchMode: "DELETE",
			EqualSchemes: map[string]string{"s3a": "s3", "s3n": "s3", "x": "y"}, EqualAuthorities: map[string]string{"a": "b"}, MaxConcurrentDeletes: 1, Quarantine: 14 * day, MaxFiles: 1000, DryRun: true,
		},
		Orphans{OlderThan: &Age{Before: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}},
		Manifests{SpecID: &seven, SortBy: []string{"a", "b"}, TargetSizeBytes: 1 << 20, MinCommits: 3, RemoveDanglingDeletes: &no, DryRun: true},
		Compact{
			Strategy: "sort", SortOrder: "a DESC, b", Where: "d > '2026-01-01'", TargetFileSizeBytes: 1 << 27, MinFileSizeBytes: &one, MaxFileSizeBytes: 1 << 40,
			MinInputFiles: 2, DeleteFileThreshold: &seven, DeleteRatioThreshold: &half, RewriteAll: true, MaxFileGroupSizeBytes: 1 << 30, MaxConcurrentFileGroupRewrites: 2,
			MaxFilesToRewrite: 9, PartialProgress: true, PartialProgressMaxCommits: 3, PartialProgressMaxFailed: &seven, RewriteJobOrder: "bytes-asc",
			UseStartingSequenceNumber: &no, RemoveDanglingDeletes: true, OutputSpecID: &seven, DryRun: true,
		},
	} {
		got, err := Read(want.Kind(), want.Params())
		require.NoError(t, err, "%s", want.Params())
		require.Equal(t, want, got, "%s", want.Params())
	}
}

func TestSettingsOfTheCommandLineHaveTheirTypes(t *testing.T) {
	t.Parallel()
	params, err := ParseSet(ExpireKind, []string{"retain-last=1", "older-than=0s", "max_ref_age_days=3.5", "clean-expired-metadata=true", "snapshot-ids=5,6"})
	require.NoError(t, err)
	got, err := ReadExpire(params)
	require.NoError(t, err)
	require.Equal(t, Expire{MinSnapshotsToKeep: 1, MaxSnapshotAge: &Age{}, MaxRefAge: 84 * time.Hour, CleanExpiredMetadata: true, SnapshotIDs: []int64{5, 6}}, got)
	for text, want := range map[string]string{
		"retain-last":        "want key=value",
		"retain-last=x":      "want a whole number",
		"retain-last=null":   "want a whole number",
		"retain-last=":       "want a whole number",
		"dry-run=1":          "want true or false",
		"retain-lost=1":      `did you mean "retain-last"?`,
		"schedule=@daily":    "of policies",
		"older-than=5":       "neither a duration",
		"spark.x=5":          `unknown key "spark.x"`,
		"max-ref-age-days=0": "too small",
	} {
		_, err := ParseSet(ExpireKind, []string{text})
		require.ErrorContains(t, err, want, text)
	}
	_, err = ParseSet(ExpireKind, []string{"retain-last=1", "retain-last=2"})
	require.ErrorContains(t, err, "twice")
}

// FuzzAPolicyIsUnderstoodOrRefused: no content makes the reader fall over, and
// what it understands it reads again from the params that it makes of it.
func FuzzAPolicyIsUnderstoodOrRefused(f *testing.F) {
	for _, text := range polarisExamples {
		f.Add(text)
	}
	f.Add(`{"enable":true,"config":{"schedule":"TZ=","window":"-","older-than":"1d1d","snapshot-ids":","}}`)
	f.Add(`{"enable":true,"config":{"schedule":"CRON_TZ= * * * * *"}}`)
	f.Add(`{"enable":true,"locations":["s3://b/t/a"],"config":{"schedule":"1 2 3 * * UTC","window":"Mon-Fri 22:00-06:00; Sun 01:00-02:00 UTC","older-than":"2026-01-01T00:00:00Z"}}`)
	facts := expiring()
	facts.Locations = []string{"s3://b/t"}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range Kinds() {
			c, err := readContent(kind, text)
			if err != nil {
				continue
			}
			require.True(t, json.Valid([]byte(text)))
			settings := build(kind, c.reading.values)
			again, err := Read(kind, settings.Params())
			require.NoError(t, err, "%s", settings.Params())
			require.Equal(t, string(settings.Params()), string(again.Params()))
			switch s := settings.(type) {
			case Expire:
				require.Equal(t, s.MaxSnapshotAge == nil, s.Retention(noon).OlderThan.IsZero())
				require.False(t, s.Retention(noon).OlderThan.After(noon))
			case Orphans:
				require.False(t, s.Cutoff(noon).After(noon.Add(-day)))
			}
			a := Evaluate(kind, []polaris.Policy{policyOf(kind, text)}, facts)
			require.True(t, a.Enabled == (a.Settings != nil) && (!a.Enabled || a.Problem == nil && c.enabled))
			v := rules().Due(a, facts, History{}, noon)
			require.True(t, a.Enabled || !v.Due)
			require.NoError(t, Explain(a, v).WriteText(io.Discard))
		}
	})
}
