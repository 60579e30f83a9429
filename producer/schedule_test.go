package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/config"
)

func TestNoInstantOfAScheduleFallsBetweenTwoScans(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		producer config.Producer
		least    time.Duration
	}{
		"the default":    {config.Producer{Interval: 5 * time.Minute}, time.Hour},
		"a slow one":     {config.Producer{Interval: 6 * time.Hour}, 12 * time.Hour},
		"nightly hours":  {config.Producer{Interval: 5 * time.Minute, Cron: "0 1-5 * * *"}, 40 * time.Hour},
		"every Saturday": {config.Producer{Interval: 5 * time.Minute, Cron: "CRON_TZ=Europe/Berlin 0 3 * * 6"}, 2 * 169 * time.Hour},
	} {
		require.Equal(t, test.least, scheduleGrace(test.producer, now), name)
	}
}
