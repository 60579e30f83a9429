package partition

// Kind is a primitive type of Iceberg.
type Kind uint8

// The kinds of values that a partition may have.
const (
	Unknown Kind = iota // always null
	Boolean
	Int
	Long
	Float
	Double
	Date
	Time
	Timestamp
	TimestampTZ
	TimestampNano
	TimestampTZNano
	String
	UUID
	Fixed
	Binary
	Decimal
)

// Type is a primitive type with its parameters.
type Type struct {
	Kind      Kind
	Length    int // bytes of a Fixed
	Precision int // of a Decimal, as is Scale
	Scale     int
}
