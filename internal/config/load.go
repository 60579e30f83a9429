package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"deckhand/internal/broker"
	"deckhand/internal/secret"
)

// Load reads the file (none if path is ""), lets NATS_… of the environment and
// then the flags of the groups that were changed in given win over it, reads the
// secret files and validates. getenv is os.Getenv outside of tests.
//
// Where NATS runs inside the worker, nothing of the nats section but the address
// counts; for the command that runs it, nothing but the port.
//
// The error names every mistake: one of the file with its line or its field, one
// of a flag or a variable by that.
func Load(path string, getenv func(string) string, given *pflag.FlagSet, groups ...Group) (*Config, error) {
	config := Default()
	if path != "" {
		if err := config.decodeFile(path); err != nil {
			return nil, err
		}
	}
	config.fillCatalogs()
	mistakes := blame{file: path, given: given, getenv: getenv}
	mistakes.ofFile(config)
	config.NATS.OverlayEnvironment(getenv)
	if err := config.overlay(given, groups, getenv); err != nil {
		return nil, err
	}
	embedded := config.fillEmbedded(given)
	if err := mistakes.assign(errors.Join(embedded, config.readSecrets(), config.Validate())); err != nil {
		return nil, err
	}
	return config, nil
}

// fillEmbedded leaves of the nats section what counts where NATS runs inside the
// worker.
func (c *Config) fillEmbedded(given *pflag.FlagSet) error {
	if !c.Worker.Embedded.Enabled {
		return nil
	}
	if given.Lookup("embedded") == nil { // not the command that runs it
		c.NATS = broker.Config{URL: cmp.Or(c.NATS.URL, broker.DefaultURL)}
		return nil
	}
	nats, err := c.NATS.ForEmbedded()
	if err != nil {
		nats = broker.Config{}
	}
	c.NATS = nats
	return prefix("nats", err)
}

func (c *Config) decodeFile(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the configuration file %s does not exist", path)
	}
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := c.decode(data, path); err != nil {
		return err
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("find configuration: %w", err)
	}
	c.pathsRelativeTo(folder)
	return nil
}

// decode reads YAML over what c holds.
func (c *Config) decode(data []byte, file string) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // an empty file is the default
		}
		return syntaxError(file, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: has a second document after \"---\"; put everything into one", file)
	}
	strict := strictness{file: file}
	strict.check(document.Content[0], reflect.TypeFor[Config](), "")
	if len(strict.mistakes) > 0 {
		return errors.Join(strict.mistakes...)
	}
	// The tree is known to fit; KnownFields is the second pair of eyes.
	decoder = yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil {
		return syntaxError(file, err)
	}
	return nil
}

// lineOf is how the parser begins a message, except for the first line.
var lineOf = regexp.MustCompile(`^line ([0-9]+): `)

// syntaxError puts the line where that of other mistakes is.
func syntaxError(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if found := lineOf.FindStringSubmatch(text); found != nil {
		return fmt.Errorf("%s:%s: %s", file, found[1], strings.TrimPrefix(text, found[0]))
	}
	if strings.Contains(text, "line ") { // several mistakes at once
		return fmt.Errorf("%s: %s", file, text)
	}
	return fmt.Errorf("%s:1: %s", file, text)
}

func (c *Config) pathsRelativeTo(folder string) {
	c.NATS.PathsRelativeTo(folder)
	paths := []*string{}
	for _, catalog := range c.Catalogs {
		if catalog != nil {
			paths = append(paths, &catalog.S3.SecretAccessKeyFile, &catalog.S3.SessionTokenFile)
			paths = append(paths, catalog.GCS.files()...)
			paths = append(paths, catalog.Azure.files()...)
			if catalog.REST != nil {
				paths = append(paths, &catalog.REST.CredentialFile)
			}
		}
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

func (c *Config) readSecrets() error {
	errs := []error{prefix("nats", c.NATS.ReadSecrets())}
	for key, catalog := range c.Catalogs {
		errs = append(errs, prefix("catalogs."+key+".s3", errors.Join(
			secret.Fill("secret_access_key", &catalog.S3.SecretAccessKey, catalog.S3.SecretAccessKeyFile),
			secret.Fill("session_token", &catalog.S3.SessionToken, catalog.S3.SessionTokenFile))),
			prefix("catalogs."+key+".gcs", catalog.GCS.readSecrets()),
			prefix("catalogs."+key+".azure", catalog.Azure.readSecrets()))
		if catalog.REST != nil {
			errs = append(errs, prefix("catalogs."+key+".rest", catalog.REST.readSecret()))
		}
	}
	return errors.Join(errs...)
}

// Group adds flags for some settings to a set, with the values in a Config as
// their defaults and as their targets.
type Group func(*pflag.FlagSet, *Config)

// Bind adds the groups' flags to a set, with the documented defaults. What is
// given is then read with [Load].
func Bind(set *pflag.FlagSet, groups ...Group) {
	for _, group := range groups {
		group(set, Default())
	}
}

// overlay sets what was given on the command line, or by DECKHAND_… before.
func (c *Config) overlay(given *pflag.FlagSet, groups []Group, getenv func(string) string) error {
	for _, login := range []string{"nats-creds", "nats-nkey", "nats-user", "nats-token-file"} {
		if given.Changed(login) {
			c.NATS.ClearLogin()
		}
	}
	if given.Changed("nats-user") {
		// There is no flag for a password, which others could read in the list of
		// processes: it comes from the environment or a file.
		c.NATS.Password = secret.String(getenv("NATS_PASSWORD"))
	}
	if given.Changed("nats-password-file") {
		c.NATS.Password = ""
	}
	target := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, group := range groups {
		group(target, c)
	}
	var errs []error
	target.VisitAll(func(flag *pflag.Flag) {
		if given.Changed(flag.Name) {
			if err := target.Set(flag.Name, given.Lookup(flag.Name).Value.String()); err != nil {
				errs = append(errs, err)
			}
		}
	})
	return errors.Join(errs...)
}
