package manifest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALayoutThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	schemas := rawList(columnsJSON)
	for why, c := range map[string]LayoutConfig{
		"format version 4 is not known":            {FormatVersion: 4},
		"format version 0 is not known":            {},
		"format version 1 has no delete manifests": {FormatVersion: 1, Deletes: true},
		"read partition spec":                      {FormatVersion: 2, Spec: json.RawMessage(`7`)},
		`have the name "a_x2Eb" in Avro`: {FormatVersion: 2, Spec: json.RawMessage(`{"spec-id":3,"fields":[
			{"source-id":1,"name":"a.b","transform":"identity"},{"source-id":1,"name":"a_x2Eb","transform":"bucket[4]"}]}`)},
	} {
		c.Schemas = schemas
		_, err := NewLayout(c)
		require.ErrorContains(t, err, why)
	}
}

func TestNamesAreMadeFitForAvroAsJavaDoes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"plain_1": "plain_1", "a.b": "a_x2Eb", "9x": "_9x", "a b": "a_x20b", "é": "_xE9", "-": "_x2D",
		"a\U0001F600": "a_xD83D_xDE00", "_": "_", "x#": "x_x23",
	} {
		require.Equal(t, want, avroName(name))
	}
}

func TestAPartitionTypeIsDefinedOnceInTheSchema(t *testing.T) {
	t.Parallel()
	l := layoutOf(t, 3, false, `[{"source-id":5,"field-id":1000,"name":"u","transform":"identity"},
		{"source-id":5,"field-id":1001,"name":"v","transform":"void"},{"source-id":6,"field-id":1002,"name":"w","transform":"identity"}]`)
	require.Equal(t, 1, strings.Count(l.schema, `"name":"uuid_fixed"`))
	require.Contains(t, l.schema, `["null","uuid_fixed"]`)
	require.Contains(t, l.schema, `{"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true}`)
}
