package manifest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheBoundsOfAColumnAreFoundInAnEntry(t *testing.T) {
	t.Parallel()
	bounds := `{"type":"array","items":{"type":"record","name":"b%d","fields":[{"name":"key","type":"int","field-id":%d},{"name":"value","type":"bytes","field-id":%d}]}}`
	low, high := fmt.Sprintf(bounds, 1, 126, 127), fmt.Sprintf(bounds, 2, 129, 130)
	schema := foreign(numbers, plainFile+","+emptyPartition+`,{"name":"l","type":["null",`+low+`],"field-id":125},{"name":"h","type":["null",`+high+`],"field-id":128}`)
	entry := join(long(1), long(0), long(0), long(0), plainValues())
	upper := join(long(7), text("y"), long(ColumnFilePath), text("s3://b"))
	file := foreignFile(t, schema, "null",
		join(entry, long(1), long(2), long(1), text("x"), long(ColumnFilePath), text("s3://a"), long(0),
			long(1), long(-2), long(int64(len(upper))), upper, long(0)),
		join(entry, long(0), long(0)))
	list, err := transcripts(bytes.NewReader(file), listed(), layoutOf(t, 2, false, `[]`))
	require.NoError(t, err)
	lower, upper := list[0].Bounds(ColumnFilePath)
	require.Equal(t, "s3://a", string(lower))
	require.Equal(t, "s3://b", string(upper))
	lower, upper = list[0].Bounds(7)
	require.Nil(t, lower)
	require.Equal(t, "y", string(upper))
	lower, upper = list[1].Bounds(ColumnFilePath)
	require.Nil(t, lower)
	require.Nil(t, upper)
}
