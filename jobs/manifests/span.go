package manifests

import (
	"bytes"

	"deckhand/internal/manifest/partition"
)

// span is where the partitions of a manifest lie: the parts of their keys, by
// field in the order of the clustering.
type span struct {
	low, high [][]byte
	known     bool
}

// spanOf makes a span of what a list says. It is unknown where the list tells not
// enough.
func spanOf(summaries []partition.Summary, spec *partition.Spec, order []int) span {
	if len(summaries) != len(spec.Fields()) || len(order) == 0 {
		return span{}
	}
	s := span{known: true}
	for _, field := range order {
		low, high := ends(spec, field, summaries[field])
		if low == nil || high == nil {
			return span{}
		}
		s.low, s.high = append(s.low, low), append(s.high, high)
		if !bytes.Equal(low, high) {
			break // what follows says nothing about the order of whole partitions
		}
	}
	return s
}

// before compares two ends of spans by the fields that both have.
func before(a, b [][]byte) bool {
	for i := range min(len(a), len(b)) {
		if c := bytes.Compare(a[i], b[i]); c != 0 {
			return c < 0
		}
	}
	return false
}

// overlaps says that partitions of both lie between those of the other. To touch
// is not to overlap, and an unknown span overlaps nothing: what is not known
// cannot be made better for sure.
func (s span) overlaps(other span) bool {
	return s.known && other.known && before(s.low, other.high) && before(other.low, s.high)
}

// Parts of keys for what summaries only flag: in [partition.Spec.AppendKey] null comes
// before all values and NaN behind them.
var nullKey, nanKey = []byte{0}, []byte{2}

// ends are the parts of keys of the least and the greatest value of a field; nil
// where the summary does not tell.
func ends(spec *partition.Spec, field int, s partition.Summary) (low, high []byte) {
	low, high, err := spec.SummaryKeys(field, s)
	if err != nil {
		return nil, nil
	}
	if s.ContainsNaN {
		high = nanKey
		if low == nil {
			low = nanKey
		}
	}
	if s.ContainsNull {
		low = nullKey
		if high == nil {
			high = nullKey
		}
	}
	return low, high
}
