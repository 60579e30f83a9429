package partition

import "bytes"

// Summary says which values one field has in the partitions of a manifest: a
// field_summary of the Iceberg table specification.
type Summary struct {
	ContainsNull bool
	ContainsNaN  bool
	// Lower and Upper are in Iceberg's single-value serialisation; nil when
	// there is no value other than null and NaN.
	Lower, Upper []byte
}

// Summaries gathers the summaries of a spec's fields.
type Summaries struct {
	spec   *Spec
	fields []bounds
	last   []byte // the partition added last; those of neighbours are often the same
	any    bool
	key    []byte
}

// bounds are the least and the greatest value of a field so far.
type bounds struct {
	null, nan, any bool
	lower, upper   bound
	// Java orders UUIDs by their halves as signed numbers, others by bytes.
	signedLower, signedUpper bound
}

// bound is a value with its key.
type bound struct{ key, single []byte }

// NewSummaries begins to gather.
func (s *Spec) NewSummaries() *Summaries {
	return &Summaries{spec: s, fields: make([]bounds, len(s.fields))}
}

// Add takes the values of one partition. An error says that it is not one of
// the spec.
func (s *Summaries) Add(partition []byte) error {
	if s.any && bytes.Equal(partition, s.last) {
		return nil
	}
	s.any, s.last = true, append(s.last[:0], partition...)
	for i := range s.fields {
		t := s.spec.fields[i].Type
		v, rest, err := t.next(partition)
		if err != nil {
			return err
		}
		s.add(&s.fields[i], t, v)
		partition = rest
	}
	if len(partition) > 0 {
		return errPartition
	}
	return nil
}

func (s *Summaries) add(b *bounds, t Type, v value) {
	switch {
	case v.null:
		b.null = true
		return
	case t.isNaN(v):
		b.nan = true
		return
	}
	s.key = t.appendKey(s.key[:0], v)
	first := !b.any
	b.any = true
	b.lower.take(s.key, t, v, first || bytes.Compare(s.key, b.lower.key) < 0)
	b.upper.take(s.key, t, v, first || bytes.Compare(s.key, b.upper.key) > 0)
	if t.Kind == UUID {
		s.key[1] ^= sign
		s.key[9] ^= sign
		b.signedLower.take(s.key, t, v, first || bytes.Compare(s.key, b.signedLower.key) < 0)
		b.signedUpper.take(s.key, t, v, first || bytes.Compare(s.key, b.signedUpper.key) > 0)
	}
}

func (b *bound) take(key []byte, t Type, v value, take bool) {
	if take {
		b.key = append(b.key[:0], key...)
		b.single = t.appendSingle(b.single[:0], v)
	}
}

// List gives a summary for each field of the spec, never nil, and false when
// no bounds can be given that every reader takes for the same: readers order
// UUIDs in two ways. A field without bounds would be taken for one without
// values, so that then there must be no summaries at all.
func (s *Summaries) List() ([]Summary, bool) {
	list := make([]Summary, len(s.fields))
	for i, b := range s.fields {
		list[i] = Summary{ContainsNull: b.null, ContainsNaN: b.nan}
		if !b.any {
			continue
		}
		list[i].Lower, list[i].Upper = single(b.lower), single(b.upper)
		if s.spec.fields[i].Type.Kind == UUID &&
			(!bytes.Equal(b.lower.single, b.signedLower.single) || !bytes.Equal(b.upper.single, b.signedUpper.single)) {
			return nil, false
		}
	}
	return list, true
}

// single is the bound's serialisation, not nil: that of an empty string is a
// bound too.
func single(b bound) []byte { return append([]byte{}, b.single...) }
