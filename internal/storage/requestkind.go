package storage

// requestKind tells apart what stores limit apart.
type requestKind int

const (
	// kindRead reads or lists.
	kindRead requestKind = iota
	// kindWrite writes, copies or deletes one object.
	kindWrite
	// kindBatch deletes many objects.
	kindBatch
	kinds
)

// as is the target for requests of another kind, which delete so many keys; a
// target is made for reads.
func (t target) as(kind requestKind, deletes int) target {
	t.kind, t.deletes = kind, deletes
	return t
}
