package polaristest

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/conformance"
)

// TestPolarisConforms holds a real Polaris to what clients take for granted of it,
// and the stand-in with it: the suite is the same.
func TestPolarisConforms(t *testing.T) {
	if !asked() {
		t.Skip("a real Polaris is asked for by make test-polaris")
	}
	if address := os.Getenv("POLARIS_URL"); address != "" {
		if os.Getenv("POLARIS_CATALOG") != "" {
			t.Skip("the suite makes a catalog and principals of its own: leave POLARIS_CATALOG out")
		}
		conforms(t, address, os.Getenv("POLARIS_CREDENTIAL"), cmp.Or(os.Getenv("POLARIS_REALM"), Realm), os.TempDir())
		return
	}
	home := find(t)
	for name, paging := range map[string]bool{"lists all in one answer": false, "lists in pages": true} {
		t.Run(name, func(t *testing.T) {
			server, err := Start(t.Context(), Options{
				Home: home, NATS: "nats://127.0.0.1:4222", Stock: true, Log: filepath.Join(t.TempDir(), "polaris.log"),
				Properties: map[string]string{`polaris.features."LIST_PAGINATION_ENABLED"`: strconv.FormatBool(paging)},
			})
			require.NoError(t, err)
			t.Cleanup(server.Stop)
			conforms(t, server.URL, Credential, Realm, t.TempDir())
		})
	}
}

func conforms(t *testing.T, address, credential, realm, folder string) {
	t.Helper()
	conformance.Run(t, conformance.Target{
		URI: address + "/api/catalog", Management: address + "/api/management", Root: credential, Realm: realm,
		Warehouse: "conformance_" + strconv.FormatInt(time.Now().UnixNano(), 36), Location: "file://" + folder + "/conformance",
		Policies: true, ETags: true,
	})
}
