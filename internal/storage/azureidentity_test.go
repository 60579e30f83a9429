package storage

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"
)

// forgetful holds no tokens, as the login of Azure's command does.
type forgetful struct {
	lives time.Duration
	asked []policy.TokenRequestOptions
}

func (f *forgetful) GetToken(_ context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	f.asked = append(f.asked, options)
	return azcore.AccessToken{Token: "of " + options.TenantID, ExpiresOn: time.Now().Add(f.lives)}, nil
}

func TestATokenOfAzureServesUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for lives, asks := range map[time.Duration]int{time.Hour: 1, time.Minute: 3} {
		f := &forgetful{lives: lives}
		i := &azureIdentity{TokenCredential: f}
		for range 3 {
			_, err := i.current(t.Context())
			require.NoError(t, err)
		}
		require.Len(t, f.asked, asks)
	}
}

// The store's answer tells the client which tenant it is of; batches follow it.
func TestABatchHasTheTokenThatTheClientGotLast(t *testing.T) {
	t.Parallel()
	f := &forgetful{lives: time.Hour}
	i := &azureIdentity{TokenCredential: f}
	options := policy.TokenRequestOptions{Scopes: []string{"s"}}
	for _, tenant := range []string{"", "tenant"} {
		options.TenantID = tenant
		_, err := i.GetToken(t.Context(), options)
		require.NoError(t, err)
		token, err := i.current(t.Context())
		require.NoError(t, err)
		require.Equal(t, "of "+tenant, token.Token)
	}
	require.Len(t, f.asked, 2)
	// A claims challenge means that the token is not taken.
	options.Claims = "more"
	_, err := i.GetToken(t.Context(), options)
	require.NoError(t, err)
	require.Len(t, f.asked, 3)
}
