package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones are known wherever this runs

	"github.com/robfig/cron/v3"
)

// Schedule is a cron expression with its time zone.
type Schedule struct {
	text string
	spec cron.SpecSchedule
}

// ParseSchedule reads five fields (minute, hour, day of the month, month, weekday)
// or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually,
// and after it a time zone of the IANA database; without one it is UTC. The zone
// may also stand before it, as in CRON_TZ=Europe/Berlin.
func ParseSchedule(text string) (*Schedule, error) {
	fields := strings.Fields(text)
	zone, named := "UTC", false
	if len(fields) > 0 {
		for _, prefix := range []string{"CRON_TZ=", "TZ="} {
			if name, found := strings.CutPrefix(fields[0], prefix); found {
				zone, named, fields = name, true, fields[1:]
				break
			}
		}
	}
	length := 5
	if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
		length = 1
	}
	if len(fields) == length+1 && !named {
		zone, fields = fields[length], fields[:length]
	}
	if len(fields) != length {
		return nil, fmt.Errorf("%s: want %s", quote(text), want[Cron])
	}
	location, err := loadZone(zone)
	if err != nil {
		return nil, err
	}
	if fields[0] == "@every" {
		return nil, errors.New("@every is no schedule; use min-interval")
	}
	parsed, err := cron.ParseStandard(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; want %s", quote(text), err, want[Cron])
	}
	spec, isSpec := parsed.(*cron.SpecSchedule)
	if !isSpec {
		return nil, fmt.Errorf("%s: want %s", quote(text), want[Cron])
	}
	spec.Location = location
	s := &Schedule{text: strings.Join(fields, " ") + " " + zone, spec: *spec}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%s never comes", quote(text))
	}
	return s, nil
}

// Next instant after t.
func (s *Schedule) Next(t time.Time) time.Time {
	next := s.spec.Next(t)
	if next.IsZero() {
		return next
	}
	return next.In(t.Location())
}

// String is the expression and its time zone.
func (s *Schedule) String() string { return s.text }

// loadZone finds a time zone by its name, never the one of this machine.
func loadZone(name string) (*time.Location, error) {
	location, err := time.LoadLocation(name)
	// Not in the database, but often among its files.
	ofThisMachine := slices.Contains([]string{"", "local", "localtime", "posixrules"}, strings.ToLower(name))
	if err != nil || ofThisMachine {
		return nil, fmt.Errorf("%s is no time zone, for instance Europe/Berlin or UTC", quote(name))
	}
	return location, nil
}
