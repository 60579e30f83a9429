package policy

import (
	"slices"
	"strings"
	"unicode"
)

// Key is one setting of policies and jobs. Keys lists them all.
type Key struct {
	// Name with hyphens; a policy may write underscores.
	Name string
	// Also are other names of the same setting.
	Also []Alias
	// Kinds that have it.
	Kinds []Kind
	Type  ValueType
	// Least and Most that are allowed; of durations in seconds. Most 0: no limit.
	Least, Most float64
	// Choices, where only some texts are allowed; written in any case, with or
	// without hyphens.
	Choices []string
	// Property of the table that applies where the policy is silent, of the type
	// PropertyType. Empty: none.
	Property     string
	PropertyType ValueType
	// Default where both are silent, as text; empty: none.
	Default string
	// Derived: Default is words for people; the value follows from other settings.
	Derived bool
	Meaning string
	// PolicyOnly: it has no place among the params of a job.
	PolicyOnly bool
	// NoEffect: taken, since other engines have it, and not needed here.
	NoEffect bool
}

// Alias is another name of a setting.
type Alias struct {
	Name string
	Type ValueType
	// Top: it stands beside config in Polaris' own schema, and may be in config too.
	Top bool
}

// has says whether the kind has the key.
func (k Key) has(kind Kind) bool { return slices.Contains(k.Kinds, kind) }

// spelled is one way to write a key.
type spelled struct {
	key    *Key
	asType ValueType
	top    bool
}

// spellings of a kind's keys, by name with hyphens.
type spellings map[string]spelled

var spellingsOf = func() map[Kind]spellings {
	all := map[Kind]spellings{}
	for _, kind := range Kinds() {
		all[kind] = spellings{}
	}
	for i := range Keys {
		key := &Keys[i]
		for _, kind := range key.Kinds {
			all[kind][key.Name] = spelled{key: key, asType: key.Type}
			for _, alias := range key.Also {
				all[kind][alias.Name] = spelled{key: key, asType: alias.Type, top: alias.Top}
			}
		}
	}
	return all
}()

// names in a fixed order. For the params of jobs without those of policies only.
func (s spellings) names(policy bool) []string {
	var names []string
	for name, sp := range s {
		if policy || !sp.key.PolicyOnly {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// topNames are those that stand beside config.
func (s spellings) topNames() []string {
	names := []string{"version", "enable", "config"}
	for name, sp := range s {
		if sp.top {
			names = append(names, name)
		}
	}
	slices.Sort(names[3:])
	return names
}

// hyphens is the form in which keys are compared.
func hyphens(key string) string { return strings.ReplaceAll(key, "_", "-") }

var (
	// ownNames are ours before a dot.
	ownNames = []string{"deckhand", "expire", "orphans", "manifests", "compact", "config", "policy"}
	// ownPrefixes begin keys that look like someone else's and would be ours: options
	// with a dot in their name, names of table properties, our own names.
	ownPrefixes = slices.Concat(ownNames, []string{"partial-progress", "history", "write", "read", "commit", "gc"})
)

// foreign says whether the key belongs to someone else. One that is ours but for
// its dots does not: left alone, it would give way to a default.
func (s spellings) foreign(key string) bool {
	if strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return false // a slip that nobody sees
	}
	prefix, rest, dotted := strings.Cut(strings.ToLower(hyphens(key)), ".")
	_, known := s[prefix]
	return dotted && prefix != "" && rest != "" && !known && !slices.Contains(ownPrefixes, prefix) && s.undotted(key) == ""
}

// undotted finds the key that was meant by one with dots in other places, "" if
// there is none.
func (s spellings) undotted(key string) string {
	plain := func(key string) string { return strings.ToLower(strings.ReplaceAll(hyphens(key), ".", "-")) }
	for name := range s {
		if plain(name) == plain(key) {
			return name
		}
	}
	return ""
}

// property finds the key that a table property stands for.
func (s spellings) property(name string) string {
	for key, sp := range s {
		if sp.key.Property == name && key == sp.key.Name {
			return key
		}
	}
	return ""
}
