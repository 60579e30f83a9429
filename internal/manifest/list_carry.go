package manifest

import (
	"fmt"
	"io"
)

// Kept is a manifest of an earlier list with everything that list says of it.
type Kept struct {
	ListEntry
	// encoded is the entry for a list of a format version, without its first
	// row id, which is the last field.
	encoded []byte
	version int
}

// CarryList streams a manifest list as [ReadList] does, whatever its schema,
// for lists of the given format version. What is yielded may be kept. A
// [NotCarriedError] names a field that the new list needs and the old one has
// not, or one that has a value and no place in the new.
func CarryList(r io.Reader, name string, formatVersion int, yield func(*Kept) error) error {
	if err := checkVersion(formatVersion); err != nil {
		return err
	}
	var c container
	defer c.close()
	if err := c.init(r, name); err != nil {
		return err
	}
	fail := func(err error) error {
		if no, ok := notCarried(name, err); ok {
			return no
		}
		return c.fail(err)
	}
	var p passage
	program, plan, err := listRoute(c.meta["avro.schema"], formatVersion, &p)
	if err != nil {
		return fail(err)
	}
	rec := record{marks: p.marks}
	for {
		ok, err := c.next()
		if err == nil && !ok {
			return nil
		}
		k := &Kept{version: formatVersion}
		if err == nil {
			err = carryListEntry(&c.window, program, plan, &rec, &p, k)
		}
		if err != nil {
			return fail(err)
		}
		if err := yield(k); err != nil {
			return err
		}
	}
}

// listRoute is how the entries of a list come into one of a format version.
func listRoute(schema string, version int, p *passage) (program, *carriage, error) {
	if _, err := compile(schema, "manifest list", listFields, 0); err != nil {
		return nil, nil, err
	}
	source, err := parseAvro(schema)
	if err != nil {
		return nil, nil, err
	}
	if source.kind != avroRecord {
		return nil, nil, errNotAvroRecord
	}
	target := listTypes()[version-1]
	next := 0
	m := &places{marks: map[int]int{}, next: &next}
	plan, err := carry(source, target, listRowID520, "", m)
	if err != nil {
		return nil, nil, err
	}
	p.marks = make([]int, next)
	ops, err := compile(schema, "manifest list", listFields, 0, m.marks)
	return ops, plan, err
}

func carryListEntry(w *window, ops program, plan *carriage, rec *record, p *passage, k *Kept) error {
	w.begin(p.raw, maxEntry)
	if err := readListEntry(w, ops, rec, &k.ListEntry); err != nil {
		return err
	}
	var err error
	if p.raw, err = w.finish(); err != nil {
		return err
	}
	if k.version == 1 && k.Deletes {
		return &errNoPlace{"content (517)", fmt.Sprintf("of %s is deletes, which a list of version 1 cannot hold", k.Path)}
	}
	if err := plan.check(p); err != nil {
		return err
	}
	p.out = nil // it stays with k
	_, err = plan.run(p, 0)
	k.encoded = p.out
	return err
}
