package policy

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// forever is the longest duration there is, 292 years.
const forever = time.Duration(math.MaxInt64)

// errTooFine is of a time that is not 0 and would count as 0, or whose end would be
// lost: tables count milliseconds.
var errTooFine = errors.New("finer than a millisecond")

// durationForm is days and the rest, each unit once and the larger first.
// time.ParseDuration takes more: signs, 0 without a unit, units again and again.
var durationForm = func() *regexp.Regexp {
	number := `[0-9]+(?:\.[0-9]+)?`
	form := `^(?:(` + number + `)d)?(`
	for _, unit := range []string{"h", "m", "s", "ms", "(?:us|µs|μs)", "ns"} {
		form += `(?:` + number + unit + `)?`
	}
	return regexp.MustCompile(form + `)$`)
}()

// parseDuration reads days of 24 hours, hours, minutes and so on (5d, 1d12h, 90m,
// 0s), and "forever". The error wraps errTooFine.
func parseDuration(text string) (time.Duration, error) {
	if strings.EqualFold(text, "forever") {
		return forever, nil
	}
	wrong := fmt.Errorf("%s is no duration with its unit, for instance 5d, 1d12h or 90m", quote(text))
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil || text == "" {
		return 0, wrong
	}
	var days, rest time.Duration
	var err error
	if parts[1] != "" {
		if days, err = parseDays(parts[1]); errors.Is(err, errTooFine) {
			return 0, err
		} else if err != nil {
			return 0, wrong
		}
	}
	if parts[2] != "" {
		if rest, err = time.ParseDuration(parts[2]); err != nil || days > forever-rest {
			return 0, wrong
		}
		if rest%time.Millisecond != 0 || rest == 0 && !isZero(parts[2]) {
			return 0, fmt.Errorf("%s is %w", quote(text), errTooFine)
		}
	}
	return days + rest, nil
}

// isZero says that a number in digits is 0, and not only near it.
func isZero(number string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
	return !strings.ContainsAny(mantissa, "123456789")
}

// parseDays reads a number of days, to the millisecond. The error wraps errTooFine.
func parseDays(number string) (time.Duration, error) {
	days, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(days) || math.IsInf(days, 0) {
		return 0, fmt.Errorf("%s is no number", quote(number))
	}
	ms := math.Round(days * float64(day/time.Millisecond))
	if ms == 0 && !isZero(number) {
		return 0, fmt.Errorf("%s days are %w", shorten(number), errTooFine)
	}
	if math.Abs(ms) > float64(forever/time.Millisecond)-1 {
		return 0, fmt.Errorf("%s days are more than can be counted; write forever", shorten(number))
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
