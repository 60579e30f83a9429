package partition

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// types has a column of every type, the id of which is its place.
const types = `{"type":"struct","schema-id":4,"fields":[
	{"id":1,"name":"a","required":false,"type":"boolean"},
	{"id":2,"name":"b","required":false,"type":"int"},
	{"id":3,"name":"c","required":false,"type":"long"},
	{"id":4,"name":"d","required":false,"type":"float"},
	{"id":5,"name":"e","required":false,"type":"double"},
	{"id":6,"name":"f","required":false,"type":"date"},
	{"id":7,"name":"g","required":false,"type":"time"},
	{"id":8,"name":"h","required":false,"type":"timestamp"},
	{"id":9,"name":"i","required":false,"type":"timestamptz"},
	{"id":10,"name":"j","required":false,"type":"timestamp_ns"},
	{"id":11,"name":"k","required":false,"type":"timestamptz_ns"},
	{"id":12,"name":"l","required":false,"type":"string"},
	{"id":13,"name":"m","required":false,"type":"uuid"},
	{"id":14,"name":"n","required":false,"type":"fixed[3]"},
	{"id":15,"name":"o","required":false,"type":"binary"},
	{"id":16,"name":"p","required":false,"type":"decimal(9, 2)"},
	{"id":17,"name":"q","required":false,"type":{"type":"struct","fields":[
		{"id":18,"name":"r","required":true,"type":"string"},
		{"id":19,"name":"s","required":true,"type":{"type":"list","element-id":20,"element-required":true,"element":"long"}},
		{"id":21,"name":"t","required":true,"type":{"type":"map","key-id":22,"key":"string","value-id":23,"value-required":false,"value":"double"}}]}},
	{"id":24,"name":"u","required":false,"type":"geometry"}]}`

func specOf(t testing.TB, fields string, schemas ...string) (*Spec, error) {
	t.Helper()
	if len(schemas) == 0 {
		schemas = []string{types}
	}
	raw := make([]json.RawMessage, len(schemas))
	for i, s := range schemas {
		raw[i] = json.RawMessage(s)
	}
	return NewSpec(json.RawMessage(`{"spec-id":7,"fields":`+fields+`}`), raw)
}

func mustSpec(t testing.TB, fields string, schemas ...string) *Spec {
	t.Helper()
	s, err := specOf(t, fields, schemas...)
	require.NoError(t, err)
	return s
}

func TestTheTypeOfAPartitionFieldIsWhatItsTransformGives(t *testing.T) {
	t.Parallel()
	for transform, want := range map[string]Type{
		"identity":    {Kind: Decimal, Length: 4, Precision: 9, Scale: 2},
		"truncate[5]": {Kind: Decimal, Length: 4, Precision: 9, Scale: 2},
		"void":        {Kind: Decimal, Length: 4, Precision: 9, Scale: 2},
		"bucket[16]":  {Kind: Int},
		"year":        {Kind: Int},
		"month":       {Kind: Int},
		"day":         {Kind: Date},
		"hour":        {Kind: Int},
	} {
		s := mustSpec(t, `[{"source-id":16,"field-id":1003,"name":"x","transform":"`+transform+`"}]`)
		require.Equal(t, []Field{{ID: 1003, Name: "x", Type: want}}, s.Fields(), transform)
		require.EqualValues(t, 7, s.ID())
	}
	for id, want := range map[string]Kind{"18": String, "20": Long, "22": String, "23": Double, "13": UUID, "10": TimestampNano} {
		s := mustSpec(t, `[{"source-ids":[`+id+`],"field-id":1000,"name":"x","transform":"identity"}]`)
		require.Equal(t, want, s.Fields()[0].Type.Kind, id)
	}
}

func TestTheColumnOfAFieldMayBeOneThatWasDropped(t *testing.T) {
	t.Parallel()
	now := `{"type":"struct","schema-id":5,"fields":[{"id":2,"name":"b","required":false,"type":"long"}]}`
	s := mustSpec(t, `[{"source-id":2,"name":"b","transform":"identity"},{"source-id":12,"name":"l","transform":"identity"}]`, now, types)
	require.Equal(t, []Field{{1000, "b", Type{Kind: Long}}, {1001, "l", Type{Kind: String}}}, s.Fields())
	require.Contains(t, string(s.Schema()), `"schema-id":4`)
	s = mustSpec(t, `[{"source-id":2,"name":"b","transform":"identity"},{"source-id":99,"name":"l","transform":"void"}]`, now, types)
	require.Equal(t, Unknown, s.Fields()[1].Type.Kind)
	require.Contains(t, string(s.Schema()), `"schema-id":5`)
}

func TestASpecThatIsNotKnownIsAnErrorThatNamesItsField(t *testing.T) {
	t.Parallel()
	for fields, why := range map[string]string{
		`[{"source-id":99,"name":"x","transform":"identity"}]`:      `partition field "x" of spec 7: no schema of the table has column 99`,
		`[{"source-id":1,"name":"x","transform":"zorder"}]`:         `the transform "zorder" is unknown`,
		`[{"source-id":24,"name":"x","transform":"identity"}]`:      `the type "geometry" is unknown`,
		`[{"source-id":17,"name":"x","transform":"identity"}]`:      `is not a primitive one`,
		`[{"source-ids":[1,2],"name":"x","transform":"bucket[4]"}]`: `a transform of 2 columns is not known`,
		`[{"source-id":1,"transform":"identity"}]`:                  `it has no name`,
		`{}`: `read fields of partition spec 7`,
	} {
		_, err := specOf(t, fields)
		require.ErrorContains(t, err, why)
	}
	_, err := NewSpec(json.RawMessage(`[]`), nil)
	require.ErrorContains(t, err, "there is no schema")
	s, err := NewSpec(json.RawMessage(` [{"source-id":1,"name":"x","transform":"identity"}]`), []json.RawMessage{json.RawMessage(types)})
	require.NoError(t, err)
	require.Zero(t, s.ID())
}

// Values in Avro's encoding.
func long(n int64) []byte    { return binary.AppendVarint([]byte{2}, n) }
func text(s string) []byte   { return append(binary.AppendVarint([]byte{2}, int64(len(s))), s...) }
func fixed(b ...byte) []byte { return append([]byte{2}, b...) }
func double(f float64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{2}, math.Float64bits(f))
}
func float(f float64) []byte {
	return binary.LittleEndian.AppendUint32([]byte{2}, math.Float32bits(float32(f)))
}

var null = []byte{0}

// ordered has values of each type in their order.
var ordered = map[string][][]byte{
	"1":  {null, fixed(0), fixed(1)},
	"2":  {null, long(math.MinInt32), long(-1), long(0), long(70_000)},
	"3":  {null, long(math.MinInt64), long(-5), long(3), long(math.MaxInt64)},
	"4":  {null, float(math.Inf(-1)), float(-1.5), float(math.Copysign(0, -1)), float(0), float(2), float(math.Inf(1))},
	"5":  {null, double(math.Inf(-1)), double(-1.5), double(math.Copysign(0, -1)), double(0), double(2), double(math.Inf(1))},
	"6":  {null, long(-719_162), long(20_000)},
	"9":  {null, long(-1), long(1)},
	"12": {null, text(""), text("\x00"), text("\x00\x00"), text("\x00a"), text("a"), text("a\x00"), text("ab"), text("b"), text("\uffff"), text("\U00010000")},
	"14": {null, fixed(0, 0, 0), fixed(0, 1, 0), fixed(0x80, 0, 0), fixed(0xff, 0, 0)},
	"15": {null, text(""), text("\x01"), text("\x80"), text("\xff\x00")},
	"16": {null, fixed(0x80, 0, 0, 0), fixed(0xff, 0xff, 0xff, 0xff), fixed(0, 0, 0, 0), fixed(0, 0, 1, 0), fixed(0x7f, 0, 0, 0)},
}

func TestKeysAreInTheOrderOfTheirValues(t *testing.T) {
	t.Parallel()
	for id, values := range ordered {
		s := mustSpec(t, `[{"source-id":`+id+`,"name":"x","transform":"identity"},{"source-id":12,"name":"y","transform":"identity"}]`)
		var last string
		for _, v := range values {
			for _, w := range ordered["12"] {
				key, err := s.AppendKey(nil, append(append([]byte{}, v...), w...))
				require.NoError(t, err)
				require.Less(t, last, string(key), "%s %v %v", id, v, w)
				last = string(key)
			}
		}
		key, err := s.AppendKey([]byte("p"), append(append([]byte{}, values[1]...), text("z")...), 1)
		require.NoError(t, err)
		require.Equal(t, "p\x01z\x00\x00", string(key))
	}
}

func TestBoundsAreTheLeastAndTheGreatestValue(t *testing.T) {
	t.Parallel()
	singles := map[string][2][]byte{
		"1":  {{0}, {1}},
		"2":  {{0, 0, 0, 0x80}, {0x70, 0x11, 1, 0}},
		"3":  {{0, 0, 0, 0, 0, 0, 0, 0x80}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
		"4":  {{0, 0, 0x80, 0xff}, {0, 0, 0x80, 0x7f}},
		"5":  {{0, 0, 0, 0, 0, 0, 0xf0, 0xff}, {0, 0, 0, 0, 0, 0, 0xf0, 0x7f}},
		"6":  {{0xc6, 0x06, 0xf5, 0xff}, {0x20, 0x4e, 0, 0}},
		"9":  {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {1, 0, 0, 0, 0, 0, 0, 0}},
		"12": {{}, []byte("\U00010000")},
		"14": {{0, 0, 0}, {0xff, 0, 0}},
		"15": {{}, {0xff, 0}},
		"16": {{0x80, 0, 0, 0}, {0x7f, 0, 0, 0}},
	}
	for id, values := range ordered {
		s := mustSpec(t, `[{"source-id":`+id+`,"name":"x","transform":"identity"}]`)
		for _, back := range []bool{false, true} {
			sum := s.NewSummaries()
			for i := range values {
				if back {
					i = len(values) - 1 - i
				}
				require.NoError(t, sum.Add(values[i]))
				require.NoError(t, sum.Add(values[i]))
			}
			list, ok := sum.List()
			require.True(t, ok)
			require.Equal(t, []Summary{{ContainsNull: true, Lower: singles[id][0], Upper: singles[id][1]}}, list, id)
			low, high, err := s.SummaryKeys(0, list[0])
			require.NoError(t, err)
			want, err := s.AppendKey(nil, values[1])
			require.NoError(t, err)
			require.Equal(t, want, low)
			want, err = s.AppendKey(nil, values[len(values)-1])
			require.NoError(t, err)
			require.Equal(t, want, high)
		}
	}
}

func TestADecimalsBoundHasAsFewBytesAsItCan(t *testing.T) {
	t.Parallel()
	s := mustSpec(t, `[{"source-id":16,"name":"x","transform":"identity"}]`)
	sum := s.NewSummaries()
	require.NoError(t, sum.Add(fixed(0xff, 0xff, 0xff, 0x80)))
	require.NoError(t, sum.Add(fixed(0, 0, 0, 0x80)))
	list, _ := sum.List()
	require.Equal(t, []Summary{{Lower: []byte{0x80}, Upper: []byte{0, 0x80}}}, list)
}

func TestNaNIsNoBound(t *testing.T) {
	t.Parallel()
	for id, v := range map[string][]byte{"4": float(math.NaN()), "5": double(math.NaN())} {
		sum := mustSpec(t, `[{"source-id":`+id+`,"name":"x","transform":"identity"}]`).NewSummaries()
		require.NoError(t, sum.Add(v))
		list, ok := sum.List()
		require.True(t, ok)
		require.Equal(t, []Summary{{ContainsNaN: true}}, list)
	}
}

func TestUUIDsThatReadersOrderInTwoWaysHaveNoBounds(t *testing.T) {
	t.Parallel()
	s := mustSpec(t, `[{"source-id":13,"name":"x","transform":"identity"}]`)
	low := fixed(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	middle := fixed(2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	high := fixed(0x80, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	sum := s.NewSummaries()
	require.NoError(t, sum.Add(middle))
	require.NoError(t, sum.Add(low))
	list, ok := sum.List()
	require.True(t, ok)
	require.Equal(t, []Summary{{Lower: low[1:], Upper: middle[1:]}}, list)
	require.NoError(t, sum.Add(high))
	_, ok = sum.List()
	require.False(t, ok)
	lowOther := fixed(1, 2, 3, 4, 5, 6, 7, 8, 0x89, 10, 11, 12, 13, 14, 15, 16)
	sum = s.NewSummaries()
	require.NoError(t, sum.Add(low))
	require.NoError(t, sum.Add(lowOther)) // the second half is a signed number too
	_, ok = sum.List()
	require.False(t, ok)
}

func TestWhatIsNoPartitionOfTheSpecIsAnError(t *testing.T) {
	t.Parallel()
	for id, list := range map[string][]string{
		"1":  {"", "\x02", "\x02\x02", "\x04", "\x01", "\x00\x00", "\x02\x01\x00"},
		"2":  {"\x02", "\x02\x80", "\x02\x80\x80\x80\x80\x20"},
		"3":  {"\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"},
		"5":  {"\x02\x00\x00\x00\x00\x00\x00\x00"},
		"12": {"\x02\x04a", "\x02\x01a", "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a"},
		"13": {"\x020123456789abcde"},
	} {
		s := mustSpec(t, `[{"source-id":`+id+`,"name":"x","transform":"identity"}]`)
		for _, p := range list {
			require.ErrorIs(t, s.NewSummaries().Add([]byte(p)), errPartition, "%s %q", id, p)
			_, err := s.AppendKey(nil, []byte(p))
			require.ErrorIs(t, err, errPartition, "%s %q", id, p)
			_, err = s.AppendKey(nil, []byte(p), 0)
			require.ErrorIs(t, err, errPartition, "%s %q", id, p)
		}
	}
}

func TestTheBoundsOfOlderTypesHaveKeysToo(t *testing.T) {
	t.Parallel()
	field := func(id string) *Spec {
		return mustSpec(t, `[{"source-id":`+id+`,"name":"x","transform":"identity"}]`)
	}
	for id, c := range map[string]struct{ bound, value []byte }{
		"3":  {[]byte{0xfe, 0xff, 0xff, 0xff}, long(-2)},
		"5":  {float(1.5)[1:], double(1.5)},
		"16": {[]byte{0x80}, fixed(0xff, 0xff, 0xff, 0x80)},
	} {
		low, high, err := field(id).SummaryKeys(0, Summary{Lower: c.bound})
		require.NoError(t, err)
		require.Nil(t, high)
		want, err := field(id).AppendKey(nil, c.value)
		require.NoError(t, err)
		require.Equal(t, want, low)
	}
	for _, id := range []string{"1", "2", "4", "5", "13", "14", "16"} {
		_, _, err := field(id).SummaryKeys(0, Summary{Upper: []byte{1, 2, 3, 4, 5}})
		require.ErrorIs(t, err, errBound)
	}
}

func TestNaNIsOnePartitionAndTheLastWhateverItsBits(t *testing.T) {
	t.Parallel()
	s := mustSpec(t, `[{"source-id":4,"name":"x","transform":"identity"},{"source-id":5,"name":"y","transform":"identity"}]`)
	key := func(f float64, bits32 uint32, bits64 uint64) string {
		p := append(float(f), double(f)...)
		if f != f {
			binary.LittleEndian.PutUint32(p[1:], bits32)
			binary.LittleEndian.PutUint64(p[6:], bits64)
		}
		key, err := s.AppendKey(nil, p)
		require.NoError(t, err)
		return string(key)
	}
	usual := key(math.NaN(), 0x7fc00000, 0x7ff8000000000000)
	require.Equal(t, usual, key(math.NaN(), 0xffc00001, 0xfff8000000000001))
	require.Equal(t, usual, key(math.NaN(), 0x7fffffff, 0x7ff8000000000001))
	require.Less(t, key(math.Inf(1), 0, 0), usual)
}
