package polaris_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/polaris"
)

// Names are one step of the path each, whatever they hold, and read back as they
// were by servers that take a plus for a blank.
func TestNamesAreOneStepOfThePath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"plain": "plain", "a b": "a%20b", "a+b": "a%2Bb", "a/b": "a%2Fb", "a%1Fb": "a%251Fb", "größe": "gr%C3%B6%C3%9Fe",
		"a?b#c": "a%3Fb%23c", "a;b": "a%3Bb", "...": "...", "a&b=c": "a&b=c",
	} {
		s := &script{config: `{"overrides":{"prefix":"my lake/1"}}`, answers: map[string]func(http.ResponseWriter){"": refuses(418, "Teapot")}}
		_, err := s.connect(t).Load(t.Context(), in(name, name, name), polaris.LoadOptions{})
		require.ErrorIs(t, err, polaris.ErrRejected)
		require.Equal(t, "/v1/my%20lake%2F1/namespaces/"+want+"%1F"+want+"/tables/"+want, s.paths()[1])
	}
}

func TestTheSeparatorIsTheServers(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"overrides":{"namespace-separator":"%1F"}}`:                                     "/v1/namespaces/a%1Fb/tables/t",
		`{"defaults":{"namespace-separator":"%2E"}}`:                                      "/v1/namespaces/a.b/tables/t",
		`{"defaults":{"namespace-separator":"-"},"overrides":{"namespace-separator":""}}`: "/v1/namespaces/a-b/tables/t",
		`{"defaults":{"prefix":"p"},"overrides":null,"endpoints":null}`:                   "/v1/p/namespaces/a%1Fb/tables/t",
	} {
		s := &script{config: config, answers: map[string]func(http.ResponseWriter){"": refuses(418, "Teapot")}}
		_, err := s.connect(t).Load(t.Context(), in("t", "a", "b"), polaris.LoadOptions{})
		require.ErrorIs(t, err, polaris.ErrRejected)
		require.Equal(t, want, s.paths()[1], config)
	}
}

func TestNamesThatWouldLeadElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	s := &script{}
	c := s.connect(t)
	for _, id := range []polaris.Identifier{
		in("t"), in("", "n"), in("..", "n"), in("t", ".."), in("t", "a", ""), in("t", "a\x1fb"), in("t", "."),
	} {
		_, err := c.Load(t.Context(), id, polaris.LoadOptions{})
		require.ErrorIs(t, err, polaris.ErrRejected, "%v", id)
		_, err = c.Commit(t.Context(), id, nil, nil)
		require.ErrorIs(t, err, polaris.ErrRejected, "%v", id)
		_, err = c.Policies(t.Context(), id)
		require.ErrorIs(t, err, polaris.ErrRejected, "%v", id)
		_, err = c.Credentials(t.Context(), id)
		require.ErrorIs(t, err, polaris.ErrRejected, "%v", id)
	}
	for _, namespace := range [][]string{{".."}, {"a", ""}, {"a\x1fb"}} {
		for _, err := range c.Tables(t.Context(), namespace) {
			require.ErrorIs(t, err, polaris.ErrRejected)
		}
		for _, err := range c.Namespaces(t.Context(), namespace) {
			require.ErrorIs(t, err, polaris.ErrRejected)
		}
	}
	require.Equal(t, []string{"/v1/config"}, s.paths(), "nothing else was asked for")
}
