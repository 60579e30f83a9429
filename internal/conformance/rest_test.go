package conformance

import "testing"

func TestIcebergsOwnServerConforms(t *testing.T) {
	t.Parallel()
	Run(t, startFixture(t))
}
