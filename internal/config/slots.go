package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"deckhand/jobs"
)

// Slots is how many jobs of each kind run at once. As a flag it is written
// purge=4,purge-view=2, in YAML so or as a mapping. Giving it replaces the
// default as a whole.
type Slots map[jobs.Kind]int

var (
	_ pflag.Value      = (*Slots)(nil)
	_ yaml.Unmarshaler = (*Slots)(nil)
)

// String is the flag's form, kinds in alphabetical order.
func (s Slots) String() string {
	parts := make([]string, 0, len(s))
	for _, kind := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, fmt.Sprintf("%s=%d", kind, s[kind]))
	}
	return strings.Join(parts, ",")
}

// Set reads the flag's form.
func (s *Slots) Set(text string) error {
	slots := Slots{}
	for part := range strings.SplitSeq(text, ",") {
		kind, number, found := strings.Cut(strings.TrimSpace(part), "=")
		count, err := strconv.Atoi(number)
		if !found || err != nil {
			return fmt.Errorf("%q is not KIND=NUMBER; write for instance purge=4,purge-view=2", part)
		}
		if _, twice := slots[jobs.Kind(kind)]; twice {
			return fmt.Errorf("kind %q is there twice", kind)
		}
		slots[jobs.Kind(kind)] = count
	}
	*s = slots
	return s.validate()
}

// Type is what help shows.
func (*Slots) Type() string { return "KIND=N" }

// UnmarshalYAML reads the flag's form or a mapping.
func (s *Slots) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return s.Set(node.Value)
	}
	read := map[jobs.Kind]int{}
	if err := node.Decode(&read); err != nil {
		return errors.New("write a mapping of kinds to numbers, for instance {purge: 4, purge-view: 2}")
	}
	*s = read
	return nil
}

// maxSlots of a kind are far more than one process makes use of; a higher number
// is a slip of the hand.
const maxSlots = 1000

func (s Slots) validate() error {
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(s)) {
		switch {
		case !kind.Known():
			return fmt.Errorf("kind %q is not known; kinds are %v", kind, jobs.Kinds())
		case s[kind] < 0:
			return fmt.Errorf("kind %q has %d; write 0 or more", kind, s[kind])
		case s[kind] > maxSlots:
			return fmt.Errorf("kind %q has %d; write at most %d, each job opens connections of its own", kind, s[kind], maxSlots)
		}
		total += s[kind]
	}
	if total == 0 {
		return errors.New("no kind has a slot; write for instance purge=4")
	}
	return nil
}
