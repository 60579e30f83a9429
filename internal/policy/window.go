package policy

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Window is the days and hours in which jobs may start.
type Window struct {
	text  string
	spans []span
}

// span is the same hours of some days. When it ends before it begins, it ends on
// the day after.
type span struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes of the day
	zone     *time.Location
}

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

const minutesOfDay = 24 * 60

// ParseWindow reads "Mon-Fri 22:00-06:00 Europe/Berlin": days, or none for all,
// hours, and a time zone, or none for UTC. Hours across midnight belong to the day
// on which they begin. Several are separated by semicolons.
func ParseWindow(text string) (*Window, error) {
	w := &Window{text: text}
	for part := range strings.SplitSeq(text, ";") {
		s, err := parseSpan(strings.Fields(part))
		if err != nil {
			return nil, fmt.Errorf("%s: %w; want %s", quote(text), err, want[Hours])
		}
		w.spans = append(w.spans, s)
	}
	return w, nil
}

// String is the text that was read.
func (w *Window) String() string { return w.text }

// Next instant at which the window is open: t itself when it is.
func (w *Window) Next(t time.Time) time.Time {
	var first time.Time
	for _, s := range w.spans {
		if next := s.next(t); !next.IsZero() && (first.IsZero() || next.Before(first)) {
			first = next
		}
	}
	return first
}

func (s span) next(t time.Time) time.Time {
	local := t.In(s.zone)
	// Eight days hold every weekday, and the day before may still go on. A change of
	// clocks can leave a day without its hours, hence another week.
	for d := -1; d <= 15; d++ {
		at := func(days, minutes int) time.Time {
			return time.Date(local.Year(), local.Month(), local.Day()+days, minutes/60, minutes%60, 0, 0, s.zone)
		}
		start := at(d, s.from)
		if !s.days[at(d, minutesOfDay/2).Weekday()] {
			continue
		}
		end := at(d, s.to)
		if s.to <= s.from {
			end = at(d+1, s.to)
		}
		if !start.Before(end) || !t.Before(end) {
			continue
		}
		if t.After(start) {
			return t
		}
		return start.In(t.Location())
	}
	return time.Time{}
}

func parseSpan(fields []string) (span, error) {
	s := span{zone: time.UTC}
	if len(fields) > 0 && !strings.Contains(fields[0], ":") {
		if err := s.parseDays(fields[0]); err != nil {
			return s, err
		}
		fields = fields[1:]
	} else {
		s.days = [7]bool{true, true, true, true, true, true, true}
	}
	if len(fields) == 0 || len(fields) > 2 {
		return s, fmt.Errorf("hours are missing, or there is too much")
	}
	if len(fields) == 2 {
		zone, err := loadZone(fields[1])
		if err != nil {
			return s, err
		}
		s.zone = zone
	}
	from, to, found := strings.Cut(fields[0], "-")
	var err error
	if s.from, err = parseClock(from); err != nil || !found {
		return s, fmt.Errorf("%s are no hours", quote(fields[0]))
	}
	if s.to, err = parseClock(to); err != nil || s.from == minutesOfDay {
		return s, fmt.Errorf("%s are no hours", quote(fields[0]))
	}
	if s.from == s.to {
		return s, fmt.Errorf("%s is no time at all; a whole day is 00:00-24:00", fields[0])
	}
	return s, nil
}

// parseDays reads Mon, Mon-Fri (also across the weekend: Fri-Mon) and lists of both.
func (s *span) parseDays(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, known := weekdays[strings.ToLower(first)]
		to, alsoKnown := weekdays[strings.ToLower(last)]
		if !known || !alsoKnown {
			return fmt.Errorf("%s are no days; they are Mon, Tue, Wed, Thu, Fri, Sat, Sun", quote(part))
		}
		for d := from; ; d = (d + 1) % 7 {
			s.days[d] = true
			if d == to {
				break
			}
		}
	}
	return nil
}

var clockForm = regexp.MustCompile(`^[0-9]{2}:[0-9]{2}$`)

// parseClock reads 00:00 to 24:00, in minutes.
func parseClock(text string) (int, error) {
	var h, m int
	if _, err := fmt.Sscanf(text, "%2d:%2d", &h, &m); err != nil || !clockForm.MatchString(text) || m > 59 || h*60+m > minutesOfDay {
		return 0, fmt.Errorf("%s is no time of the day", quote(text))
	}
	return h*60 + m, nil
}
