package policy

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// forever is the longest duration there is, 292 years.
const forever = time.Duration(math.MaxInt64)

// parseDuration reads what time.ParseDuration reads, with d for days of 24 hours
// before the rest (5d, 1d12h, 90m, 0s), and "forever". It refuses negative ones.
func parseDuration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%s is no duration with its unit, for instance 5d, 1d12h or 90m", quote(text))
	if strings.ContainsAny(text, "+-") {
		return 0, wrong
	}
	if strings.EqualFold(text, "forever") {
		return forever, nil
	}
	var days time.Duration
	rest := text
	if number, after, found := strings.Cut(text, "d"); found {
		var err error
		if days, err = parseDays(number); err != nil {
			return 0, wrong
		}
		if rest = after; rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || days > forever-d {
		return 0, wrong
	}
	return days + d, nil
}

// parseDays reads a number of days, to the millisecond.
func parseDays(number string) (time.Duration, error) {
	days, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(days) || math.IsInf(days, 0) {
		return 0, fmt.Errorf("%s is no number", quote(number))
	}
	ms := math.Round(days * float64(day/time.Millisecond))
	if math.Abs(ms) > float64(forever/time.Millisecond)-1 {
		return 0, fmt.Errorf("%s days are more than can be counted; write forever", number)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// formatDuration is what parseDuration reads, without units that are zero.
func formatDuration(d time.Duration) string {
	if d == forever {
		return "forever"
	}
	days, rest := d/day, d%day
	switch {
	case days == 0:
		return trimZeros(rest.String())
	case rest == 0:
		return strconv.FormatInt(int64(days), 10) + "d"
	}
	return strconv.FormatInt(int64(days), 10) + "d" + trimZeros(rest.String())
}

// trimZeros makes 12h of 12h0m0s.
func trimZeros(text string) string {
	if short, cut := strings.CutSuffix(text, "m0s"); cut {
		text = short + "m"
	}
	if short, cut := strings.CutSuffix(text, "h0m"); cut {
		text = short + "h"
	}
	return text
}
