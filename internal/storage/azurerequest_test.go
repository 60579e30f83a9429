package storage

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestAnAnswerOfAzureWithoutEndIsNotReadToIts(t *testing.T) {
	t.Parallel()
	_, err := readAnswer(zeros{})
	require.ErrorIs(t, err, errAnswerTooLong)
	data, err := readAnswer(io.LimitReader(zeros{}, 1000))
	require.NoError(t, err)
	require.Len(t, data, 1000)
}
