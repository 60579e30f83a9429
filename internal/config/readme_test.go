package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deckhand/internal/storage"
)

// readmeBetween is what the README has between two texts.
func readmeBetween(t *testing.T, begin, end string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), begin)
	require.True(t, found, begin)
	part, _, found := strings.Cut(rest, end)
	require.True(t, found, end)
	return part
}

// settingsOf lists the settings of a type below a path, "catalogs.<key>.realm" and so
// on. One that a file may hold is listed as that file alone.
func settingsOf(t reflect.Type, path string) (settings []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Pointer:
		return settingsOf(t.Elem(), path+".<key>")
	case t.Kind() != reflect.Struct:
		return []string{path}
	}
	names := []string{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		names = append(names, name)
	}
	for i, name := range names {
		if name == "" || name == "-" || slices.Contains(names, name+"_file") {
			continue
		}
		settings = append(settings, settingsOf(t.Field(i).Type, strings.TrimPrefix(path+"."+name, "."))...)
	}
	return settings
}

var (
	quoted      = regexp.MustCompile("`([^`]*)`")
	outOfQuotes = regexp.MustCompile("(?:`[^`]*`|[^`,])+")
)

// documentedSettings are the settings of the README's table, each with its default:
// "" where that is said in words.
func documentedSettings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(readmeBetween(t, "\n# Configuration\n", "\n# Policies\n")) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) < 2 {
			continue
		}
		names := quoted.FindAllStringSubmatch(cells[0], -1)
		defaults := outOfQuotes.FindAllString(cells[1], -1)
		section := ""
		for i, match := range names {
			name := match[1]
			if section != "" && !strings.Contains(name, ".") {
				name = section + name
			}
			section = name[:strings.LastIndex(name, ".")+1]
			found[name] = ""
			if len(defaults) != len(names) {
				continue
			}
			if text := strings.TrimSpace(defaults[i]); strings.HasPrefix(text, "`") && strings.HasSuffix(text, "`") {
				found[name] = strings.Trim(text, "`")
			}
		}
	}
	return found
}

func TestTheREADMEHasEverySettingAndNoOther(t *testing.T) {
	t.Parallel()
	settings, documented := settingsOf(reflect.TypeFor[Config](), ""), documentedSettings(t)
	require.Greater(t, len(settings), 60)
	for _, setting := range settings {
		of := setting + ".<kind>" // as those of producer.budget
		_, found := documented[setting]
		_, foundOf := documented[of]
		require.True(t, found || foundOf, "%s is not in the README", setting)
		delete(documented, setting)
		delete(documented, of)
	}
	delete(documented, "catalogs.<key>")
	require.Empty(t, documented, "no settings")
}

// Writing a setting as the README says that it is anyway changes nothing.
func TestTheDefaultsOfTheREADMEAreTrue(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]string{
		"nats.url":                       "nats://127.0.0.1:4222", // of internal/broker
		"catalogs.<key>.s3.session_name": storage.DefaultSessionName,
		"catalogs.<key>.rest.token_uri":  "<uri>/v1/oauth/tokens", // of internal/polaris
		"producer.budget.<kind>":         "100",                   // of internal/scan
	}
	read := func(yaml string) *Config {
		config := Default()
		require.NoError(t, config.decode([]byte(yaml), "file"), yaml)
		config.fillCatalogs()
		return config
	}
	checked := 0
	for setting, value := range documentedSettings(t) {
		if want, other := elsewhere[setting]; other {
			require.Equal(t, want, value, setting)
			continue
		}
		if value == "" {
			continue
		}
		checked++
		if strings.Contains(value, ": ") {
			value = "{ " + value + " }"
		}
		path := strings.Split(strings.Replace(setting, "<key>", "lake", 1), ".")
		without := "{ catalogs: { lake: { rest: { uri: u } } } }"
		with := strings.Join(path, ": { ") + ": " + value + strings.Repeat(" }", len(path)-1)
		switch {
		case path[0] != "catalogs":
			without = "{}"
		case path[2] != "rest":
			with = strings.Replace(with, "lake: { ", "lake: { rest: { uri: u }, ", 1)
		default:
			with = strings.Replace(with, "rest: { ", "rest: { uri: u, ", 1)
		}
		require.Equal(t, read(without), read("{ "+with+" }"), "%s: %s", setting, value)
	}
	require.Greater(t, checked, 25)
}

func TestTheStoresOfTheREADMECanBeLoaded(t *testing.T) {
	t.Parallel()
	config, err := load(t, readmeBetween(t, "<!-- stores -->\n", "<!-- end -->"), map[string]string{
		"minio.txt": "secret", "google.json": `{"type":"service_account"}`, "sas.txt": "sv=1&sig=2", "client.txt": "secret",
	}, nil)
	require.NoError(t, err)
	for name, catalog := range config.Catalogs {
		stores, err := storage.NewStores(catalog.StorageConfig(), storage.NewLimiters())
		require.NoError(t, err, name)
		require.NoError(t, stores.Close())
	}
	require.Len(t, config.Catalogs, 5)
}
