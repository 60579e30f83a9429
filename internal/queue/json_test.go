package queue

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func requireJSON(t testing.TB, data []byte, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(data, into), string(data))
}
