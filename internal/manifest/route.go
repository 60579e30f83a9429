package manifest

import "fmt"

// route is how the entries of manifests with one schema come into a layout.
type route struct {
	program program
	entry   *carriage // of it only that fields without a place are null
	file    *carriage
	marks   int
}

// transcribed are the fields that a [Transcriber] decodes.
const transcribed = FieldSequence | FieldReferenced | FieldRowID | FieldFormat

// route gives the way from a schema into the layout.
func (l *Layout) route(schema string) (*route, error) {
	l.mu.Lock()
	r := l.routes[schema]
	l.mu.Unlock()
	if r != nil {
		return r, nil
	}
	r, err := newRoute(schema, l)
	if err != nil || len(schema) > cachedSchema {
		return r, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.routes) >= cachedPrograms {
		clear(l.routes)
	}
	l.routes[schema] = r
	return r, nil
}

func newRoute(schema string, l *Layout) (*route, error) {
	// The compiler tells best what is wrong with a schema.
	if _, err := compile(schema, "manifest", entryFields, transcribed); err != nil {
		return nil, err
	}
	source, err := parseAvro(schema)
	if err != nil {
		return nil, err
	}
	if source.kind != avroRecord {
		return nil, errNotAvroRecord
	}
	r := &route{entry: &carriage{}}
	entry := &places{marks: map[int]int{}, next: &r.marks}
	file := &places{marks: map[int]int{}, next: &r.marks}
	var data *avroType
	for i := range source.fields {
		f := &source.fields[i]
		switch entryField(f) {
		case dataFile:
			data = f.typ.plain()
		case noID:
			r.entry.unread = append(r.entry.unread, unread{entry.at(i), f.typ, false, f.label("")})
		}
	}
	if data == nil || data.kind != avroRecord {
		return nil, fmt.Errorf("%w: data_file is not a record", errSchema)
	}
	if r.file, err = carry(data, l.file, firstRowID, "data_file", file); err != nil {
		return nil, err
	}
	r.program, err = compile(schema, "manifest", entryFields, transcribed, entry.marks, file.marks)
	return r, err
}

// entryField gives the id of a field of an entry, or noID.
func entryField(f *avroField) int {
	for i := range entryFields {
		e := &entryFields[i]
		if f.is(&avroField{id: e.id, name: e.name}) {
			return e.id
		}
	}
	return noID
}
