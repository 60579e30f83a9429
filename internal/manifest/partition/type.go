package partition

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

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
	Length    int // bytes in Avro of a Fixed, a Decimal or a UUID
	Precision int // of a Decimal, as is Scale
	Scale     int
}

var kinds = map[string]Kind{
	"unknown": Unknown, "boolean": Boolean, "int": Int, "long": Long, "float": Float, "double": Double,
	"date": Date, "time": Time, "timestamp": Timestamp, "timestamptz": TimestampTZ,
	"timestamp_ns": TimestampNano, "timestamptz_ns": TimestampTZNano,
	"string": String, "uuid": UUID, "binary": Binary,
}

const (
	maxFixed     = 1 << 20
	maxPrecision = 38
)

// parseType reads the type of a column, as the table's schema has it.
func parseType(raw json.RawMessage) (Type, error) {
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return Type{}, fmt.Errorf("the type %.100s is not a primitive one", raw)
	}
	if kind, ok := kinds[name]; ok {
		t := Type{Kind: kind}
		if kind == UUID {
			t.Length = 16
		}
		return t, nil
	}
	if args, ok := arguments(name, "fixed[", "]"); ok && len(args) == 1 && args[0] <= maxFixed {
		return Type{Kind: Fixed, Length: args[0]}, nil
	}
	if args, ok := arguments(name, "decimal(", ")"); ok && len(args) == 2 && args[0] > 0 && args[0] <= maxPrecision {
		return Type{Kind: Decimal, Precision: args[0], Scale: args[1], Length: decimalLength(args[0])}, nil
	}
	return Type{}, fmt.Errorf("the type %q is unknown", name)
}

// arguments gives the numbers between a prefix and a suffix, none negative.
func arguments(s, prefix, suffix string) ([]int, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return nil, false
	}
	if s, ok = strings.CutSuffix(s, suffix); !ok {
		return nil, false
	}
	var list []int
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// decimalLength is how many bytes an unscaled value of so many decimal digits
// takes at most, in two's complement.
func decimalLength(precision int) int {
	// 10^p - 1 needs p*log2(10) bits and one for the sign; log2(10) is a bit
	// less than 3.32193.
	bits := (precision*332193 + 99_999) / 100_000
	return (bits + 8) / 8
}
