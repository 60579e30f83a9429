package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"deckhand/internal/spelling"
)

// schemaVersion of the policies that are understood.
const schemaVersion = "2025-02-03"

// given is a setting as someone wrote it.
type given struct {
	spelling string
	value    any
}

// reading collects settings and every mistake in them.
type reading struct {
	kind   Kind
	policy bool // not the params of a job
	known  spellings
	values map[string]given // by Key.Name
	notes  []string
	wrong  []string
}

func newReading(kind Kind, policy bool) *reading {
	return &reading{kind: kind, policy: policy, known: spellingsOf[kind], values: map[string]given{}}
}

func (r *reading) mistake(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

func (r *reading) err() error {
	if len(r.wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(r.wrong, "; "))
}

// members reads settings.
func (r *reading) members(members object) {
	for _, m := range members {
		name := hyphens(m.key)
		sp, known := r.known[name]
		switch {
		case known && (r.policy || !sp.key.PolicyOnly):
			r.take(m.key, sp, m.value)
		case known:
			r.mistake("key %s is of policies and has no meaning in a job", quote(m.key))
		case r.policy && r.known.foreign(m.key):
			_, rest, _ := strings.Cut(name, ".")
			if _, ours := r.known[rest]; ours {
				r.notes = append(r.notes, fmt.Sprintf("key %s is someone else's and left alone; ours is %q", quote(m.key), rest))
			}
		default:
			r.unknown(m.key, r.known.names(r.policy))
		}
	}
}

// take one known setting.
func (r *reading) take(written string, sp spelled, value any) {
	key := sp.key
	if earlier, twice := r.values[key.Name]; twice {
		if earlier.spelling == written {
			r.mistake("key %s is there twice", quote(written))
		} else {
			r.mistake("keys %s and %s are the same setting: keep one", quote(earlier.spelling), quote(written))
		}
		return
	}
	parsed, err := sp.asType.parse(value)
	if errors.Is(err, errType) {
		r.mistake("key %s: want %s, not %s", quote(written), want[sp.asType], describe(value))
	} else if err != nil {
		r.mistake("key %s: %v", quote(written), err)
	} else if parsed, err = key.allowed(parsed); err != nil {
		r.mistake("key %s: %v", quote(written), err)
	}
	if key.NoEffect {
		r.notes = append(r.notes, fmt.Sprintf("%s has no effect", written))
	}
	// A mistaken value is kept, so that a second spelling is found too.
	r.values[key.Name] = given{spelling: written, value: parsed}
}

func (r *reading) unknown(written string, names []string) {
	name := hyphens(written)
	if why := refused(r.kind, name); why != "" {
		r.mistake("key %s is not taken: %s", quote(written), why)
		return
	}
	if property := r.known.property(written); property != "" {
		r.mistake("unknown key %s: that is a table property; here it is %q", quote(written), property)
		return
	}
	if ours := r.known.undotted(name); ours != "" {
		r.mistake("unknown key %s; did you mean %q?", quote(written), ours)
		return
	}
	if prefix, own, found := strings.Cut(name, "."); found && slices.Contains(ownNames, prefix) {
		name = own
	}
	if near := spelling.Nearest(name, names); near != "" {
		r.mistake("unknown key %s; did you mean %q?", quote(written), near)
		return
	}
	r.mistake("unknown key %s; known here are %s", quote(written), strings.Join(names, ", "))
}

// allowed checks range and choices, and gives a choice its one spelling.
func (k *Key) allowed(value any) (any, error) {
	switch v := value.(type) {
	case int64:
		return v, k.inRange(float64(v), fmt.Sprint(v), func(f float64) string { return fmt.Sprintf("%.0f", f) })
	case float64:
		return v, k.inRange(v, fmt.Sprint(v), func(f float64) string { return fmt.Sprint(f) })
	case time.Duration:
		return v, k.durationInRange(v)
	case Age:
		if v.Before.IsZero() {
			return v, k.durationInRange(v.Ago)
		}
	case string:
		return k.choice(v)
	}
	return value, nil
}

func (k *Key) durationInRange(d time.Duration) error {
	return k.inRange(d.Seconds(), formatDuration(d), func(f float64) string {
		return formatDuration(secondsOf(f))
	})
}

func secondsOf(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func (k *Key) inRange(value float64, shown string, format func(float64) string) error {
	if value < k.Least {
		return fmt.Errorf("%s is too small; the least is %s", shown, format(k.Least))
	}
	if k.Most != 0 && value > k.Most {
		return fmt.Errorf("%s is too large; the most is %s", shown, format(k.Most))
	}
	return nil
}

func (k *Key) choice(text string) (string, error) {
	if k.Choices == nil {
		return text, nil
	}
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	for _, choice := range k.Choices {
		if plain(choice) == plain(text) {
			return choice, nil
		}
	}
	return "", fmt.Errorf("%s is none of %s", quote(text), strings.Join(k.Choices, ", "))
}

// content is what a policy says.
type content struct {
	enabled bool
	// off: it says plainly that it is, whatever else may be wrong with it.
	off     bool
	reading *reading
}

// readContent reads a policy's content by Polaris' schema of the kind, version
// 2025-02-03. The server checks less: "true", 1, "7", null and repeated keys pass.
// The error names every mistake; what could be read is there all the same.
func readContent(kind Kind, text string) (content, error) {
	c := content{reading: newReading(kind, true)}
	members, err := readObject([]byte(text))
	if err != nil {
		return c, err
	}
	r := c.reading
	enable, isFlag, found := false, false, false
	for _, m := range members {
		name := hyphens(m.key)
		switch sp, known := r.known[name]; {
		case name == "enable" && found, known && sp.top && r.values[sp.key.Name].spelling == m.key:
			r.mistake("key %s is there twice", quote(m.key))
		case name == "enable":
			found = true
			enable, isFlag = m.value.(bool)
			if !isFlag {
				r.mistake("key %s: want true or false, not %s", quote(m.key), describe(m.value))
			}
		case name == "version":
			if version, isText := m.value.(string); !isText || version != schemaVersion {
				r.mistake("key %s: want %q, not %s", quote(m.key), schemaVersion, describe(m.value))
			}
		case name == "config":
			config, isObject := m.value.(object)
			if !isObject {
				r.mistake("key %s: want an object, as in {\"key\": value}, not %s", quote(m.key), describe(m.value))
			}
			r.members(config)
		case known && sp.top:
			r.take(m.key, sp, m.value)
		case known:
			r.mistake("key %s belongs into config", quote(m.key))
		default:
			r.unknown(m.key, r.known.topNames())
		}
	}
	if !found {
		r.mistake("key \"enable\" is missing; it must be true or false")
	}
	c.enabled = enable
	c.off = found && isFlag && !enable
	return c, r.err()
}

// Read the params of a job of the kind: an object of settings, or nothing. The
// error names every key that is wrong. A foreign key is wrong too: nobody else
// reads a job.
func Read(kind Kind, params json.RawMessage) (Settings, error) {
	r, err := readParams(kind, params)
	if err != nil {
		return nil, fmt.Errorf("read the params of the %s job: %w", kind, err)
	}
	return build(kind, r.values), nil
}

func readParams(kind Kind, params json.RawMessage) (*reading, error) {
	r := newReading(kind, false)
	if r.known == nil {
		return nil, fmt.Errorf("the kind %s has no settings", quote(string(kind)))
	}
	if len(params) == 0 {
		return r, nil
	}
	members, err := readObject(params)
	if err != nil {
		return nil, err
	}
	r.members(members)
	err = r.err()
	return r, err
}

// ReadExpire reads the params of an expire job, see [Read].
func ReadExpire(params json.RawMessage) (Expire, error) {
	settings, err := Read(ExpireKind, params)
	if err != nil {
		return Expire{}, err
	}
	return settings.(Expire), nil
}

// ReadOrphans reads the params of an orphans job, see [Read].
func ReadOrphans(params json.RawMessage) (Orphans, error) {
	settings, err := Read(OrphansKind, params)
	if err != nil {
		return Orphans{}, err
	}
	return settings.(Orphans), nil
}

// ReadManifests reads the params of a manifests job, see [Read].
func ReadManifests(params json.RawMessage) (Manifests, error) {
	settings, err := Read(ManifestsKind, params)
	if err != nil {
		return Manifests{}, err
	}
	return settings.(Manifests), nil
}

// ParseSet turns texts like "retain-last=1" into the params of a job of the kind.
// The error names every key that is wrong.
func ParseSet(kind Kind, assignments []string) (json.RawMessage, error) {
	known, members := spellingsOf[kind], object{}
	if known == nil {
		return nil, fmt.Errorf("read the settings: the kind %s has none", quote(string(kind)))
	}
	for _, assignment := range assignments {
		name, text, found := strings.Cut(assignment, "=")
		if !found {
			return nil, fmt.Errorf("read the setting %s: want key=value", quote(assignment))
		}
		name = strings.TrimSpace(name)
		if slices.ContainsFunc(members, func(m member) bool { return m.key == name }) {
			return nil, fmt.Errorf("read the settings: key %s is there twice", quote(name))
		}
		value := any(text)
		if sp, isKnown := known[hyphens(name)]; isKnown {
			value = sp.asType.fromText(text)
		}
		members = append(members, member{name, value})
	}
	r := newReading(kind, false)
	r.members(members)
	if err := r.err(); err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	return build(kind, r.values).Params(), nil
}
