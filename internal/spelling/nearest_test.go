package spelling

import "testing"

func TestATypoFindsTheNameItStandsFor(t *testing.T) {
	t.Parallel()
	known := []string{"max-snapshot-age", "min-snapshots-to-keep", "schedule"}
	for name, want := range map[string]string{
		"max-snapshot-aeg":     "max-snapshot-age",
		"MIN-SNAPSHOT-TO-KEEP": "min-snapshots-to-keep",
		"shedule":              "schedule",
		"key1":                 "",
		"":                     "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
