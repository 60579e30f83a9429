package storage

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// hangingTokens give a token once they are released.
type hangingTokens struct {
	asked   atomic.Int64
	begun   chan struct{}
	release chan struct{}
}

func (h *hangingTokens) Token() (*oauth2.Token, error) {
	h.asked.Add(1)
	h.begun <- struct{}{}
	<-h.release
	return &oauth2.Token{AccessToken: "t", Expiry: time.Now().Add(time.Hour)}, nil
}

// Google's library knows no contexts.
func TestATokenOfGCSIsNotWaitedForOnceTheWorkHasEnded(t *testing.T) {
	t.Parallel()
	tokens := &hangingTokens{begun: make(chan struct{}, 4), release: make(chan struct{})}
	s := &gcsSource{source: tokens}
	why := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := s.token(ctx)
			ended <- err
		}()
	}
	<-tokens.begun
	cancel(why)
	for range 3 {
		select {
		case err := <-ended:
			require.ErrorIs(t, err, why)
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for the token")
		}
	}
	// Who comes next waits for the same one, which serves for all.
	late := make(chan error, 1)
	go func() {
		_, err := s.token(t.Context())
		late <- err
	}()
	close(tokens.release)
	require.NoError(t, <-late)
	token, err := s.token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "t", token.Token)
	require.LessOrEqual(t, tokens.asked.Load(), int64(2))
}
