package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// variableAnnotation is where a flag says which variable its value came from.
const variableAnnotation = "deckhand-variable"

// FromVariable notes that a flag's value came from an environment variable, so
// that a mistake in it is named by that.
func FromVariable(flag *pflag.Flag, variable string) {
	if flag.Annotations == nil {
		flag.Annotations = map[string][]string{}
	}
	flag.Annotations[variableAnnotation] = []string{variable}
}

// blame says where a mistake was made: in the file, by a flag or in a variable.
type blame struct {
	file   string
	given  *pflag.FlagSet
	getenv func(string) string
	// known are the mistakes that are in the file whatever else is given.
	known []string
}

// ofFile notes the mistakes of a configuration that is only what the file says.
func (b *blame) ofFile(c *Config) {
	if b.file == "" {
		return
	}
	alone := *c
	for _, err := range flatten(errors.Join(prefix("nats", alone.NATS.ReadSecrets()), alone.Validate())) {
		b.known = append(b.known, err.Error())
	}
}

// assign groups the mistakes by where they were made; nil for none.
func (b *blame) assign(err error) error {
	var inFile, elsewhere []error
	for _, mistake := range flatten(err) {
		field, rest, _ := strings.Cut(mistake.Error(), ": ")
		// No flag reaches into the catalogs.
		if b.file != "" && (strings.HasPrefix(field, "catalogs.") || slices.Contains(b.known, mistake.Error())) {
			inFile = append(inFile, mistake)
			continue
		}
		if source := b.source(field); source != "" {
			mistake = fmt.Errorf("%s: %s", source, rest)
		}
		elsewhere = append(elsewhere, mistake)
	}
	err = errors.Join(inFile...)
	if err != nil {
		err = fmt.Errorf("configuration %s: %w", b.file, err)
	}
	return errors.Join(append([]error{err}, elsewhere...)...)
}

// source is the flag or the variable that a field's value came from, "" if it
// came from neither.
func (b *blame) source(field string) string {
	if flag := b.given.Lookup(flagOf(field)); flag != nil && flag.Changed {
		if variable := flag.Annotations[variableAnnotation]; len(variable) > 0 {
			return variable[0]
		}
		return "--" + flag.Name
	}
	if name, ok := strings.CutPrefix(field, "nats."); ok {
		if variable := "NATS_" + strings.ToUpper(name); b.getenv(variable) != "" {
			return variable
		}
	}
	return ""
}

// flagOf is the flag for a field, as flags.go names them.
func flagOf(field string) string {
	switch field {
	case "worker.embedded.enabled":
		return "embedded"
	case "worker.embedded.store_dir":
		return "embedded-store"
	}
	name := strings.TrimPrefix(strings.TrimPrefix(field, "worker."), "producer.")
	return strings.NewReplacer("_", "-", ".", "-").Replace(name)
}

// flatten lists what was joined.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, each := range joined.Unwrap() {
		all = append(all, flatten(each)...)
	}
	return all
}
