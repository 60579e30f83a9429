package receipt

import (
	"context"
	"maps"
	"slices"

	"deckhand/internal/storage"
)

// Versions says what buckets that keep versions made of the deletes.
type Versions struct {
	// Buckets by name, each enabled, suspended, off or unknown, and for Google Cloud
	// Storage and Azure with what is known of their soft delete ("off, soft delete for 7
	// days"). Those that keep nothing are not named.
	Buckets map[string]string `json:"buckets"`
	// Unknown says why it is, "" where it is not.
	Unknown string `json:"unknown,omitempty"`
	// Hidden are the files that a delete only hid, in all runs, with their bytes as far
	// as the metadata tells: they stay billed. nil where versions were deleted.
	Hidden *Count `json:"hidden,omitempty"`
	// ByThemselves: no bucket keeps versions, so that Hidden go when the time of the
	// soft delete has passed.
	ByThemselves bool `json:"by_themselves,omitempty"`
	// AtMost: some of Hidden may be gone, since they lay in a bucket that keeps
	// nothing, were written while it kept nothing, or it is not known what it keeps.
	AtMost bool `json:"at_most,omitempty"`
	// Removed counts the versions that this run deleted by their ids, with their bytes
	// as the store tells them, and Markers the markers.
	Removed *Count `json:"removed,omitempty"`
	Markers int64  `json:"markers,omitempty"`
}

// VersionsOf asks the buckets of the locations, each once, about what a session has
// deleted there in all runs. removes says that the session deletes versions. nil:
// nothing was deleted, or no bucket keeps anything.
func VersionsOf(ctx context.Context, session *storage.Session, locations []storage.Location, deleted Count, removes bool) *Versions {
	if deleted.Files == 0 || ctx.Err() != nil {
		return nil
	}
	v := &Versions{Buckets: map[string]string{}, ByThemselves: true}
	asked := map[string]bool{}
	var versioned, beside bool // buckets whose versions may be deleted, and others
	for _, l := range locations {
		if l.Scheme == "file" || asked[l.Bucket] {
			continue
		}
		asked[l.Bucket] = true
		found, err := session.Keeping(ctx, l)
		if err != nil {
			v.Unknown = Shorten(err.Error())
		}
		if !found.Nothing() {
			v.Buckets[l.Bucket] = found.String()
			v.ByThemselves = v.ByThemselves && found.ByItself()
			versioned, beside = versioned || l.Scheme == "s3", beside || l.Scheme != "s3"
		}
		v.AtMost = v.AtMost || found.Versioning != storage.VersioningOn && found.Soft != storage.SoftOn
	}
	if len(v.Buckets) == 0 {
		return nil
	}
	removes = removes && versioned
	if removes {
		usage := session.Usage()
		v.AtMost = beside
		v.Removed, v.Markers = &Count{Files: usage.Versions, Bytes: usage.VersionBytes}, usage.Markers
	}
	if !removes || beside {
		v.Hidden = &deleted
	}
	v.ByThemselves = v.ByThemselves && v.Hidden != nil
	return v
}

// Versions prints what became of versions. advice says what else would free them,
// as the end of "a lifecycle rule for noncurrent versions frees them".
func (t *Text) Versions(v *Versions, dryRun bool, advice string) {
	if v == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(v.Buckets)) {
		t.Line("versions\t%s\tin bucket %s", v.Buckets[name], name)
	}
	if v.Unknown != "" {
		t.Line("versions\tunknown\twhy\t%s", v.Unknown)
	}
	verb, qualifier := "made", ""
	if dryRun {
		verb = "would make"
	}
	if v.AtMost {
		qualifier = "at most "
	}
	switch {
	case v.Hidden == nil:
	case v.ByThemselves:
		t.Line("hidden\t\t%s%d files\t%s stay billed until the time of the soft delete has passed", qualifier, v.Hidden.Files, FormatBytes(v.Hidden.Bytes))
	default:
		t.Line("hidden\t\t%s%d files\t%s stay billed: the deletes only %s markers; a lifecycle rule for noncurrent versions frees them%s",
			qualifier, v.Hidden.Files, FormatBytes(v.Hidden.Bytes), verb, advice)
	}
	if v.Removed != nil {
		t.Line("removed\tversions\t%d\t%s, and %d markers, by their ids", v.Removed.Files, FormatBytes(v.Removed.Bytes), v.Markers)
	}
}
