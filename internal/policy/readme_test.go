package policy

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of keys into the README")

const (
	readme     = "../../README.md"
	tableStart = "<!-- keys of policies: go test ./internal/policy -run README -update -->\n"
	tableEnd   = "<!-- end of keys -->\n"
)

func TestTheREADMEHasTheTableOfKeys(t *testing.T) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), tableStart)
	require.True(t, found, "the README has no %q", tableStart)
	got, after, found := strings.Cut(rest, tableEnd)
	require.True(t, found, "the README has no %q", tableEnd)
	want := keysTable()
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(before+tableStart+want+tableEnd+after), 0o644))
		return
	}
	require.Equal(t, want, got, "run it with -update")
}

func keysTable() string {
	var b strings.Builder
	b.WriteString("| key (also) | of | value | where the policy is silent | meaning |\n|---|---|---|---|---|\n")
	for i := range Keys {
		key := &Keys[i]
		names := "`" + key.Name + "`"
		for _, alias := range key.Also {
			if alias.Name != key.Name {
				names += " `" + alias.Name + "`"
			}
			if alias.Type != key.Type {
				names += " (" + string(alias.Type) + ")"
			}
		}
		of := make([]string, len(key.Kinds))
		for j, kind := range key.Kinds {
			of[j] = string(kind)
		}
		kinds := strings.Join(of, ", ")
		if len(of) == len(Kinds()) {
			kinds = "all"
		}
		silent := key.Default
		if key.Property != "" {
			silent = "`" + key.Property + "`, " + key.Default
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", names, kinds, key.valueText(), silent, key.Meaning)
	}
	return b.String()
}

// valueText is type and range in words.
func (k *Key) valueText() string {
	if k.Choices != nil {
		return "`" + strings.Join(k.Choices, "` `") + "`"
	}
	text := string(k.Type)
	show := func(f float64) string {
		if k.Type == Whole || k.Type == Number {
			return fmt.Sprintf("%.0f", f)
		}
		return formatDuration(secondsOf(f))
	}
	if k.Least > 0 {
		text += ", at least " + show(k.Least)
	}
	if k.Most > 0 && k.Most != anInt {
		text += ", at most " + show(k.Most)
	}
	return text
}

func TestEveryKeyHasAFieldOfItsTypeAndEveryFieldAKey(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		have := map[string]bool{}
		for name, field := range fields(reflect.ValueOf(emptySettings[kind])) {
			have[name] = true
			sp, known := spellingsOf[kind][name]
			require.True(t, known && sp.key.Name == name, "%s has a field for %s, which is no key", kind, name)
			if sp.key.Default != "" && !sp.key.Derived {
				fresh := reflect.New(field.Type()).Elem()
				_, err := sp.key.complete(fresh, nil)
				require.NoError(t, err)
			}
		}
		for name, sp := range spellingsOf[kind] {
			require.Equal(t, !sp.key.PolicyOnly && !sp.key.NoEffect, have[sp.key.Name], "%s %s", kind, name)
			require.Equal(t, strings.ToLower(hyphens(name)), name, "keys are compared with hyphens")
			_, described := want[sp.asType]
			require.True(t, described, "%s", sp.asType)
		}
	}
}
