package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ValueType is how a value is written.
type ValueType string

// Types of values, in the words of the README.
const (
	Whole     ValueType = "whole number"
	Number    ValueType = "number"
	Flag      ValueType = "true or false"
	Text      ValueType = "text"
	Days      ValueType = "number of days"
	Millis    ValueType = "whole number of milliseconds"
	Duration  ValueType = "duration"
	AgeOrTime ValueType = "duration or time"
	IDs       ValueType = "ids"
	List      ValueType = "list"
	Place     ValueType = "location"
	Pairs     ValueType = "pairs"
	Cron      ValueType = "schedule"
	Hours     ValueType = "window"
)

// want says what a value of the type looks like.
var want = map[ValueType]string{
	Whole:     "a whole number",
	Number:    "a number",
	Flag:      "true or false",
	Text:      "a text",
	Days:      "a number of days",
	Millis:    "a whole number of milliseconds",
	Duration:  `a duration with its unit, for instance "5d", "1d12h" or "90m"`,
	AgeOrTime: `a duration with its unit, for instance "5d", or a time with its zone, "2026-01-31T00:00:00Z"`,
	IDs:       `snapshot ids: "123,456", [123, 456] or 123`,
	List:      `a text, with commas between several`,
	Place:     "a location",
	Pairs:     `pairs, as in "s3a,s3n=s3; gs=s3"`,
	Cron:      `a cron expression and a time zone, for instance "0 3 * * * Europe/Berlin"`,
	Hours:     `days, hours and a time zone, for instance "Mon-Fri 22:00-06:00 Europe/Berlin"`,
}

var (
	errType = errors.New("wrong type")
	// errEmpty: what is there and empty was meant to say something, and silence may
	// mean everything.
	errEmpty = errors.New("it is empty")
)

// parse turns a value of a JSON document into int64, float64, bool, string,
// time.Duration, Age, []int64, []string, map[string]string, *Schedule or *Window.
// The error is errType when the value is of another type.
func (t ValueType) parse(value any) (any, error) {
	switch v := value.(type) {
	case json.Number:
		return t.parseNumber(v)
	case bool:
		if t == Flag {
			return v, nil
		}
	case string:
		return t.parseText(v)
	case []any:
		return t.parseList(v)
	}
	return nil, errType
}

func (t ValueType) parseNumber(number json.Number) (any, error) {
	switch t {
	case Whole, Millis:
		n, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil {
			return nil, errType
		}
		if t == Millis {
			return milliseconds(n)
		}
		return n, nil
	case Number:
		f, err := strconv.ParseFloat(number.String(), 64)
		if err != nil || f == 0 && !isZero(number.String()) {
			return nil, fmt.Errorf("%s is out of range", shorten(number.String()))
		}
		return f, nil
	case Days:
		return parseDays(number.String())
	case IDs:
		return parseIDs(number.String())
	}
	return nil, errType
}

// milliseconds saturates: Iceberg says "for ever" with the largest number.
func milliseconds(n int64) (time.Duration, error) {
	switch {
	case n < 0:
		return 0, fmt.Errorf("%d is negative", n)
	case n > int64(forever/time.Millisecond):
		return forever, nil
	}
	return time.Duration(n) * time.Millisecond, nil
}

func (t ValueType) parseText(text string) (any, error) {
	switch t {
	case Whole, Number, Flag, Days, Millis:
		return nil, errType
	}
	if strings.TrimSpace(text) == "" {
		return nil, errEmpty
	}
	switch t {
	case Text:
		return text, nil
	case Place:
		return []string{text}, nil
	case Duration:
		return parseDuration(text)
	case AgeOrTime:
		return parseAge(text)
	case IDs:
		return parseIDs(text)
	case List:
		parts := strings.Split(text, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return parseNames(parts)
	case Pairs:
		return parsePairs(text)
	case Cron:
		return ParseSchedule(text)
	case Hours:
		return ParseWindow(text)
	}
	return nil, errType
}

// timeForm is that of RFC 3339, section 5.6.
var timeForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

// parseAge reads a duration, or a time as RFC 3339 has it and no other: time.Parse
// takes more.
func parseAge(text string) (any, error) {
	if before, err := time.Parse(time.RFC3339Nano, text); err == nil && timeForm.MatchString(text) {
		// The first instant of the year 1 is Go's zero time, which counts as none.
		if before.Before(time.Unix(0, 0)) || before.UTC().Year() > maxYear {
			return nil, fmt.Errorf("%s is not between the years 1970 and %d", quote(text), maxYear)
		}
		return Age{Before: before}, nil
	}
	ago, err := parseDuration(text)
	if errors.Is(err, errTooFine) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s is neither a duration with its unit, for instance 5d, nor a time with its zone, for instance 2026-01-31T00:00:00Z", quote(text))
	}
	return Age{Ago: ago}, nil
}

// maxYear is the last that can be written.
const maxYear = 9999

func parseIDs(text string) (any, error) {
	var ids []int64
	for part := range strings.SplitSeq(text, ",") {
		digits := strings.TrimSpace(part)
		id, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || id <= 0 || digits[0] == '+' {
			return nil, fmt.Errorf("%s is no snapshot id", quote(part))
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func parseNames(parts []string) (any, error) {
	names := make([]string, 0, len(parts))
	for _, name := range parts {
		if name == "" {
			return nil, errors.New("a text in it is empty")
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// parsePairs reads "a,b=c; d=e": a and b mean c, d means e.
func parsePairs(text string) (any, error) {
	pairs := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		names, meaning, found := strings.Cut(part, "=")
		meaning = strings.TrimSpace(meaning)
		if !found || meaning == "" || strings.ContainsAny(meaning, "=,") {
			return nil, fmt.Errorf("%s: want %s", quote(text), want[Pairs])
		}
		for name := range strings.SplitSeq(names, ",") {
			name = strings.TrimSpace(name)
			if _, twice := pairs[name]; twice || name == "" {
				return nil, fmt.Errorf("%s: a name is empty or there twice; want %s", quote(text), want[Pairs])
			}
			pairs[name] = meaning
		}
	}
	return pairs, nil
}

func (t ValueType) parseList(list []any) (any, error) {
	if len(list) == 0 && (t == IDs || t == List) {
		return nil, errEmpty
	}
	switch t {
	case IDs:
		ids := make([]int64, 0, len(list))
		for _, item := range list {
			number, isNumber := item.(json.Number)
			if !isNumber {
				return nil, errType
			}
			one, err := parseIDs(number.String())
			if err != nil {
				return nil, err
			}
			ids = append(ids, one.([]int64)...)
		}
		return ids, nil
	case List:
		texts := make([]string, 0, len(list))
		for _, item := range list {
			text, isText := item.(string)
			if !isText {
				return nil, errType
			}
			texts = append(texts, text)
		}
		return parseNames(texts)
	}
	return nil, errType
}

// fromText makes of a command line's or a table property's text the value that a
// JSON document would hold, for parse.
func (t ValueType) fromText(text string) any {
	switch t {
	case Whole, Number, Days, Millis:
		if json.Valid([]byte(text)) {
			dec := json.NewDecoder(strings.NewReader(text))
			dec.UseNumber()
			var value any
			if dec.Decode(&value) == nil {
				return value
			}
		}
	case Flag:
		if value, err := strconv.ParseBool(text); err == nil && (text == "true" || text == "false") {
			return value
		}
	}
	return text
}
