package command

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"deckhand/internal/config"
	"deckhand/internal/spelling"
)

// variablePrefix begins our variables.
const variablePrefix = "DECKHAND_"

// variable is the environment variable that stands for a flag.
func variable(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// ownFlags are the flags of both binaries beside those of the configuration. The
// variables of all are known to all, since they may share an environment.
var ownFlags = []string{
	"config", "print-config",
	"adopt", "again", "by", "catalog", "database", "dry-run", "every", "file", "json", "list", "list-file", "location", "metadata-location", "no-nats",
	"not-before", "older-than", "params", "realm", "replicas", "set", "table", "table-uuid", "timeout", "update-streams", "wait", "watch",
}

func knownVariables() []string {
	var known []string
	for _, group := range []config.Group{config.Connection, config.Timing, config.Running, config.Producing} {
		set := pflag.NewFlagSet("", pflag.ContinueOnError) // two groups may have a flag of one name
		config.Bind(set, group)
		set.VisitAll(func(flag *pflag.Flag) { known = append(known, variable(flag.Name)) })
	}
	for _, name := range ownFlags {
		known = append(known, variable(name))
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// foreignVariable matches what begins like ours and is not: Kubernetes adds
// addresses for each service, also for one named deckhand or deckhand-worker, and
// deploy/nats/accounts.conf reads passwords.
var foreignVariable = regexp.MustCompile(`_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$|^DECKHAND_(ADMIN|POLARIS|PRODUCER|WORKER)_PASSWORD$`)

// checkEnvironment refuses a variable that begins with DECKHAND_ and that no
// command reads: it is a slip, and what it was to set is not set. environ is
// os.Environ() outside of tests.
func checkEnvironment(environ []string) error {
	known := knownVariables()
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || slices.Contains(known, name) || foreignVariable.MatchString(name) {
			continue
		}
		hint := "see --help for the flags; their variables are DECKHAND_<FLAG>"
		if near := spelling.Nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		return fmt.Errorf("the environment variable %s is not known; %s", name, hint)
	}
	return nil
}

// fromEnvironment gives each flag that is not on the command line the value of
// its variable, if that is set to something.
func fromEnvironment(flags *pflag.FlagSet, getenv func(string) string) (err error) {
	flags.VisitAll(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		value := getenv(name)
		if err != nil || flag.Changed || value == "" || flag.Name == "help" || flag.Name == "version" {
			return
		}
		if setErr := flags.Set(flag.Name, value); setErr != nil {
			err = badVariable(name, flag, setErr)
			return
		}
		config.FromVariable(flag, name)
	})
	return err
}

// badVariable says what a variable should be. pflag's own message speaks of the
// flag, and would repeat a value that may be a secret in the wrong place.
func badVariable(name string, flag *pflag.Flag, err error) error {
	example := map[string]string{"bool": "true or false", "duration": "for instance 25s or 15m", "int": "a whole number"}[flag.Value.Type()]
	if example != "" {
		return fmt.Errorf("%s is not a value for --%s (%s); write %s", name, flag.Name, flag.Value.Type(), example)
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		err = invalid.Unwrap()
	}
	return fmt.Errorf("%s: %w", name, err)
}

// KnownVariable reports whether a flag's variable is one that checkEnvironment
// accepts; the binaries' tests ask it for each of their flags.
func KnownVariable(flag string) bool { return slices.Contains(knownVariables(), variable(flag)) }
