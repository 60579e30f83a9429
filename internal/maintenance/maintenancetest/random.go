package maintenancetest

import (
	"fmt"
	"math/rand/v2"
)

// RandomDraft is a table of any history: files that come, go and come again,
// manifests that several snapshots share, branches and tags anywhere. more is what
// [Yard.Lay] takes with it. The last spare snapshots of the draft are not in the
// metadata: they are for other writers to add.
func RandomDraft(r *rand.Rand, spare int) (d *Draft, more Object) {
	d = NewDraft()
	var manifests []string
	add := func() {
		var files []string
		for range 1 + r.IntN(4) {
			mark := ""
			if r.IntN(4) == 0 {
				mark = "-"
			}
			files = append(files, fmt.Sprintf("%sf%d", mark, r.IntN(20)))
		}
		name := fmt.Sprintf("m%d", len(manifests))
		d.Manifest(name, files...)
		manifests = append(manifests, name)
	}
	count := 2 + r.IntN(7)
	for n := range count + spare {
		add()
		named := map[string]bool{manifests[len(manifests)-1]: true}
		for range r.IntN(4) {
			named[manifests[r.IntN(len(manifests))]] = true
		}
		var list []string
		for _, m := range manifests {
			if named[m] {
				list = append(list, m)
			}
		}
		d.Snapshot(list...)
		if n > 1 && r.IntN(3) == 0 {
			d.Snapshots[n]["parent-snapshot-id"] = 1 + r.IntN(n)
		}
	}
	refs := Object{"main": Object{"snapshot-id": count, "type": "branch"}}
	for n := range r.IntN(3) {
		ref := Object{"snapshot-id": 1 + r.IntN(count), "type": []string{"tag", "branch"}[r.IntN(2)]}
		if r.IntN(3) == 0 {
			ref["max-ref-age-ms"] = 1
		}
		refs[fmt.Sprint("ref", n)] = ref
	}
	return d, Object{
		"format-version": 2 + r.IntN(2), "snapshots": d.Snapshots[:count], "refs": refs, "current-snapshot-id": count,
		"last-sequence-number": count, "next-row-id": 100 * count,
	}
}
