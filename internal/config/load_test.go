package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"deckhand/internal/broker"
	"deckhand/internal/secret"
	"deckhand/jobs"
)

// documented is the form that the documentation promises.
const documented = `
nats: { url: nats://127.0.0.1:4222 }
catalogs:
  lake:
    realm: POLARIS
    locations: [s3://warehouse/]
    s3: { endpoint: http://127.0.0.1:9000, region: us-east-1, path_style: true, access_key_id: k, secret_access_key_file: secret.txt }
    purge: { scope: table, outside: keep }
`

// load writes files beside a configuration and loads it with flags set.
func load(t *testing.T, yaml string, files, env map[string]string, args ...string) (*Config, error) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	path := filepath.Join(folder, "deckhand.yaml")
	require.NoError(t, os.WriteFile(path, []byte(yaml), 0o600))
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	groups := []Group{Connection, Timing, Running}
	Bind(set, groups...)
	require.NoError(t, set.Parse(args))
	return Load(path, func(name string) string { return env[name] }, set, groups...)
}

func TestDocumentedFormIsRead(t *testing.T) {
	t.Parallel()
	config, err := load(t, documented, map[string]string{"secret.txt": "topsecret\n"}, nil)
	require.NoError(t, err)
	lake, found := config.Catalog("POLARIS", "lake")
	require.True(t, found)
	require.Equal(t, []string{"s3://warehouse/"}, lake.Locations)
	require.Equal(t, Purge{Scope: "table", Outside: "keep", Verify: "namespace", Versions: "keep"}, lake.Purge)
	store := lake.StorageConfig()
	require.Equal(t, "topsecret", store.S3.SecretAccessKey)
	require.Equal(t, "k", store.S3.AccessKeyID)
	require.Equal(t, "http://127.0.0.1:9000", store.S3.Endpoint)
	require.True(t, store.S3.PathStyle)
	_, found = config.Catalog("OTHER", "lake")
	require.False(t, found)
}

func TestAbsentSettingsHaveTheirDocumentedDefaults(t *testing.T) {
	t.Parallel()
	config, err := load(t, "catalogs: {lake: {locations: [file:///w]}}", nil, nil)
	require.NoError(t, err)
	lake := config.CatalogsNamed("")[0]
	require.Equal(t, "lake", lake.Name)
	require.Equal(t, "namespace", lake.Orphans.Neighbours)
	require.Equal(t, "POLARIS", lake.Realm)
	require.Equal(t, Purge{Scope: "table", Outside: "keep", Verify: "namespace", Versions: "keep"}, lake.Purge)
	require.Equal(t, Slots{
		jobs.Purge: 4, jobs.PurgeShard: 2, jobs.PurgeFinish: 2, jobs.PurgeView: 2, jobs.PurgeFiles: 2,
		jobs.Expire: 2, jobs.Orphans: 1, jobs.Manifests: 1,
	}, config.Worker.Slots)
	require.Equal(t, 25*time.Second, config.Worker.Drain)
	require.Equal(t, 15*time.Minute, config.Worker.StallTimeout)
	require.Empty(t, config.Worker.HTTP, "unset, so that an address in use is no error")
	require.True(t, config.Worker.Embedded.SyncAlways)

	empty, err := load(t, "", nil, nil)
	require.NoError(t, err)
	require.Equal(t, Default(), empty)
}

func TestUnknownKeysAreNamedWithTheirLineAndTheNearestKnownKey(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"nats:\n  url: x\n  crds: y\n":                                   `deckhand.yaml:3: unknown key "nats.crds"; did you mean "creds"?`,
		"catalogs:\n  lake:\n    s3:\n      endpont: x\n":                `deckhand.yaml:4: unknown key "catalogs.lake.s3.endpont"; did you mean "endpoint"?`,
		"\n\nworkers: {}\n":                                              `deckhand.yaml:3: unknown key "workers"; did you mean "worker"?`,
		"log: {colour: red}\n":                                           `deckhand.yaml:1: unknown key "log.colour"; known here are level, format`,
		"nats: {url: a}\nnats: {url: b}\n":                               `deckhand.yaml:2: key "nats" is there twice, the first is in line 1`,
		"catalogs:\n  a: {locations: [x]}\n  a: {}\n":                    `deckhand.yaml:3: key "catalogs.a" is there twice, the first is in line 2`,
		"worker:\n  drain: 25\n":                                         `deckhand.yaml:2: worker.drain: want a duration with its unit, for instance 25s or 15m`,
		"worker:\n  pprof: maybe\n":                                      `deckhand.yaml:2: worker.pprof: want true or false`,
		"worker:\n  slots: {purge: many}\n":                              `deckhand.yaml:2: worker.slots: write a mapping of kinds to numbers`,
		"catalogs:\n  lake:\n    locations: s3://w\n":                    `deckhand.yaml:3: catalogs.lake.locations: want a list, as in [a, b]`,
		"catalogs:\n  lake:\n    locations: [[a]]\n":                     `deckhand.yaml:3: catalogs.lake.locations[0]: want a text`,
		"catalogs: [lake]\n":                                             `deckhand.yaml:1: catalogs: want a mapping`,
		"just text":                                                      `deckhand.yaml:1: the file: want a mapping`,
		"nats:\n\turl: x\n":                                              `deckhand.yaml:2: found character that cannot start any token`,
		"a: b: c\n":                                                      `deckhand.yaml:1: mapping values are not allowed`,
		"nats: {}\nlog: a: b\n":                                          `deckhand.yaml:2: mapping values are not allowed`,
		"nats: {}\n---\nnats: {}\n":                                      `has a second document after "---"`,
		"catalogs:\n  a: &a {locations: [x]}\n  b:\n    <<: *a\n":        `deckhand.yaml:4: catalogs.b: merging with << is not supported`,
		"catalogs:\n  lake:\n    s3: {secret_access_key: [topsecret]}\n": `deckhand.yaml:3: catalogs.lake.s3.secret_access_key: want a text`,
	} {
		_, err := load(t, yaml, nil, nil)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "nats: {a: 1}\nlog: {b: 1}\n", nil, nil)
	require.ErrorContains(t, err, `"nats.a"`)
	require.ErrorContains(t, err, `"log.b"`)
}

func TestFlagsWinOverTheEnvironmentAndTheEnvironmentOverTheFile(t *testing.T) {
	t.Parallel()
	yaml := "nats: {url: nats://file}\nworker: {drain: 1s, slots: {purge: 1}}\n"
	env := map[string]string{"NATS_URL": "nats://env"}

	config, err := load(t, yaml, nil, nil)
	require.NoError(t, err)
	require.Equal(t, "nats://file", config.NATS.URL)
	require.Equal(t, time.Second, config.Worker.Drain)
	require.Equal(t, Slots{jobs.Purge: 1}, config.Worker.Slots, "the default is replaced as a whole")

	config, err = load(t, yaml, nil, env)
	require.NoError(t, err)
	require.Equal(t, "nats://env", config.NATS.URL)

	config, err = load(t, yaml, nil, env, "--nats-url=nats://flag", "--drain=2s", "--slots=purge-view=3")
	require.NoError(t, err)
	require.Equal(t, "nats://flag", config.NATS.URL)
	require.Equal(t, 2*time.Second, config.Worker.Drain)
	require.Equal(t, Slots{jobs.PurgeView: 3}, config.Worker.Slots)
}

func TestFlagEqualToTheDefaultStillWinsOverTheFile(t *testing.T) {
	t.Parallel()
	config, err := load(t, "worker: {drain: 1s}\n", nil, nil, "--drain=25s")
	require.NoError(t, err)
	require.Equal(t, 25*time.Second, config.Worker.Drain)
}

func TestOneWayToLogInReplacesAnotherOfLowerPrecedence(t *testing.T) {
	t.Parallel()
	yaml := "nats: {user: u, password: p}\n"
	config, err := load(t, yaml, nil, nil, "--nats-creds=/my.creds")
	require.NoError(t, err)
	require.Equal(t, "/my.creds", config.NATS.Creds)
	require.Empty(t, config.NATS.User)
	require.Empty(t, config.NATS.Password.Reveal())

	config, err = load(t, yaml, nil, map[string]string{"NATS_PASSWORD": "env"}, "--nats-user=other")
	require.NoError(t, err)
	require.Equal(t, "other", config.NATS.User)
	require.Equal(t, "env", config.NATS.Password.Reveal())
	config, err = load(t, yaml, nil, nil, "--nats-user=token")
	require.NoError(t, err)
	require.Empty(t, config.NATS.Password.Reveal(), "the password of another user")
}

func TestSecretFilesAreRelativeToTheFileAndNamedWhenBad(t *testing.T) {
	t.Parallel()
	_, err := load(t, documented, nil, nil)
	require.ErrorContains(t, err, "catalogs.lake.s3.secret_access_key_file: the file ")
	require.ErrorContains(t, err, "secret.txt does not exist")
	_, err = load(t, documented, map[string]string{"secret.txt": "\n"}, nil)
	require.ErrorContains(t, err, "secret.txt is empty")
	_, err = load(t, strings.Replace(documented, "access_key_id", "secret_access_key: topsecret, access_key_id", 1),
		map[string]string{"secret.txt": "x"}, nil)
	require.ErrorContains(t, err, "catalogs.lake.s3.secret_access_key: give it or secret_access_key_file, not both")
	require.NotContains(t, err.Error(), "topsecret")

	config, err := load(t, "nats: {user: u, password_file: pw, creds: ''}\n", map[string]string{"pw": "p"}, nil)
	require.NoError(t, err)
	require.Equal(t, "p", config.NATS.Password.Reveal())
}

func TestMistakesInValuesNameTheFieldAndTheFix(t *testing.T) {
	t.Parallel()
	lake := "catalogs: {lake: {locations: ['s3://w/'], %s}}"
	for yaml, want := range map[string]string{
		"catalogs: {lake: }":                                              "catalogs.lake.locations: name at least one allowed location",
		"catalogs: {lake: {locations: ['ftp://x/y']}}":                    "catalogs.lake.locations:",
		strings.Replace(lake, "%s", "purge: {scope: world}", 1):           `catalogs.lake.purge.scope: "world" is neither table nor catalog`,
		strings.Replace(lake, "%s", "purge: {verify: everywhere}", 1):     `catalogs.lake.purge.verify: "everywhere" is none of namespace, catalog, off`,
		strings.Replace(lake, "%s", "orphans: {neighbours: all}", 1):      `catalogs.lake.orphans.neighbours: "all" is none of namespace, catalog, off`,
		strings.Replace(lake, "%s", "purge: {outside: burn}", 1):          `catalogs.lake.purge.outside: "burn" is neither keep nor forget`,
		strings.Replace(lake, "%s", "s3: {access_key_id: k}", 1):          "catalogs.lake.s3: access_key_id and secret_access_key: give both or none",
		"catalogs: {a: {locations: [/w]}, b: {name: a, locations: [/w]}}": `catalogs.b: catalog "a" of realm "POLARIS" is there already, as catalogs.a`,
		"worker: {http: nowhere}":                                         `worker.http: "nowhere" is not host:port`,
		"worker: {http: ':65536'}":                                        `worker.http: ":65536" is not host:port`,
		"worker: {http: ':http'}":                                         `worker.http: ":http" is not host:port`,
		"worker: {slots: purge=1001}":                                     `worker.slots: kind "purge" has 1001; write at most 1000`,
		"nats: {url: 'nats://h:65536'}":                                   `nats.url: "65536" is not a port`,
		"worker: {http: ':9464', pprof: true}":                            "worker.pprof: it shows memory",
		"worker: {slots: {compactt: 1}}":                                  `worker.slots: kind "compactt" is not known`,
		"worker: {slots: purge=0}":                                        "worker.slots: no kind has a slot",
		"worker: {ack_wait: 5ms}":                                         "worker.ack_wait: 5ms is too short",
		"worker: {drain: -1s}":                                            "worker.drain: -1s is too short",
		"log: {level: loud}":                                              `log.level: "loud" is none of debug, info, warn, error`,
		"log: {format: xml}":                                              `log.format: "xml" is none of auto, text, json`,
		"nats: {url: 'http://u:topsecret@h'}":                             `nats.url: "http://u:[redacted]@h" has the scheme`,
		"nats: {user: u, password: '[redacted]'}":                         `nats.password: is "[redacted]", as a printed configuration has it`,
	} {
		_, err := load(t, yaml, nil, nil)
		require.ErrorContains(t, err, want, yaml)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestEachOfSeveralMistakesNamesItsSection(t *testing.T) {
	t.Parallel()
	_, err := load(t, "catalogs: {lake: {locations: ['s3a://k:topsecret@b/'], s3: {access_key_id: k, session_name: x}, azure: {client_id: c, authority: 'http://x'}}}", nil, nil)
	require.NotContains(t, err.Error(), "topsecret")
	for _, want := range []string{
		`catalogs.lake.locations: invalid location "s3a://k:[redacted]@b/"`,
		"catalogs.lake.s3: access_key_id and secret_access_key: give both or none", "catalogs.lake.s3: session_name: it is for a role",
		"catalogs.lake.azure: authority: secrets are sent to it", "catalogs.lake.azure: tenant_id, client_id and client_secret: a service principal needs all three",
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestTwoRealmsMayHaveCatalogsOfOneName(t *testing.T) {
	t.Parallel()
	config, err := load(t, "catalogs: {a: {name: lake, realm: R2, locations: [/a]}, b: {name: lake, realm: R1, locations: [/b]}}", nil, nil)
	require.NoError(t, err)
	found := config.CatalogsNamed("lake")
	require.Len(t, found, 2)
	require.Equal(t, "R1", found[0].Realm)
	require.Empty(t, config.CatalogsNamed("other"))
}

func TestPrintedConfigurationHasEverythingButTheSecrets(t *testing.T) {
	t.Parallel()
	yaml := documented + `
  ambient: { locations: [s3://other/] }
  inline: { locations: [s3://x/], s3: { access_key_id: id, secret_access_key: topsecret, session_token: topsecret } }
`
	yaml = strings.Replace(yaml, "nats://127.0.0.1:4222", "nats://u:topsecret@host:4222", 1)
	config, err := load(t, yaml, map[string]string{"secret.txt": "topsecret"}, nil)
	require.NoError(t, err)
	var printed strings.Builder
	require.NoError(t, config.Print(&printed))
	require.NotContains(t, printed.String(), "topsecret")
	for _, want := range []string{
		"url: nats://u:[redacted]@host:4222", "/secret.txt", "secret_access_key: '[redacted]'", "access_key_id: id",
		"stall_timeout: 15m0s", "scope: table", "realm: POLARIS", "purge: 4",
	} {
		require.Contains(t, printed.String(), want)
	}
	require.Equal(t, "topsecret", config.Catalogs["inline"].S3.SecretAccessKey.Reveal(), "printing changes nothing")

	config, err = load(t, "nats: {user: topsecret}", nil, nil)
	require.NoError(t, err)
	printed.Reset()
	require.NoError(t, config.Print(&printed))
	require.NotContains(t, printed.String(), "topsecret", "a user alone is a token")
	require.Contains(t, printed.String(), secret.Redacted)
}

func TestPrintedConfigurationCanBeLoadedAgain(t *testing.T) {
	t.Parallel()
	config, err := load(t, documented, map[string]string{"secret.txt": "s"}, nil, "--slots=purge=7", "--embedded")
	require.NoError(t, err)
	var printed strings.Builder
	require.NoError(t, config.Print(&printed))
	again, err := load(t, printed.String(), nil, nil)
	require.NoError(t, err)
	require.Equal(t, config, again)
}

func TestAbsentFileIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Load("/nowhere/deckhand.yaml", func(string) string { return "" }, pflag.NewFlagSet("", pflag.ContinueOnError))
	require.EqualError(t, err, "the configuration file /nowhere/deckhand.yaml does not exist")
}

func TestMistakesOfFlagsAndVariablesDoNotBlameTheFile(t *testing.T) {
	t.Parallel()
	variables := func(name string) string { return map[string]string{"NATS_URL": "http://h"}[name] }
	none := func(string) string { return "" }
	for _, test := range []struct {
		yaml   string
		getenv func(string) string
		args   []string
		want   string
	}{
		{"", none, []string{"--drain=-1s"}, "--drain: -1s is too short; write at least 0s"},
		{"", none, []string{"--log-level=loud"}, `--log-level: "loud" is none of debug, info, warn, error`},
		{"", none, []string{"--http=nowhere"}, `--http: "nowhere" is not host:port; write for instance :9464, or off`},
		{"", none, []string{"--embedded-store="}, "--embedded-store: is empty; name a folder for the queue"},
		{"", none, []string{"--nats-password-file=/absent", "--nats-user=u"}, "--nats-password-file: the file /absent does not exist"},
		{"nats: {url: nats://ok}", variables, nil, `NATS_URL: "http://h" has the scheme "http"; NATS has nats, tls, ws and wss`},
		{"nats: {url: nats://ok}", none, []string{"--nats-cert=c"}, "nats.key: is missing; a client certificate needs both cert and key"},
		{"worker: {pprof: true}", none, []string{"--http=:80"}, `worker.pprof: it shows memory to whoever asks, so http must be a loopback address; ":80" is not`},
		{"log: {level: loud}", none, []string{"--drain=-1s"}, "configuration FILE: log.level: \"loud\" is none of debug, info, warn, error\n--drain: -1s is too short; write at least 0s"},
		{"log: {level: loud}", none, []string{"--log-level=info"}, ""},
	} {
		path := filepath.Join(t.TempDir(), "deckhand.yaml")
		require.NoError(t, os.WriteFile(path, []byte(test.yaml), 0o600))
		set := pflag.NewFlagSet("test", pflag.ContinueOnError)
		groups := []Group{Connection, Timing, Running}
		Bind(set, groups...)
		require.NoError(t, set.Parse(test.args))
		_, err := Load(path, test.getenv, set, groups...)
		if test.want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, strings.ReplaceAll(test.want, "FILE", path), "%v", test.args)
	}
}

func TestOfTheNATSSectionOnlyThePortCountsForAnEmbeddedServer(t *testing.T) {
	t.Parallel()
	const ignored = "context: absent, user: u, token: t, password_file: absent, cert: c, ca: absent, jetstream_domain: d, inbox_prefix: '*'}\n"
	env := map[string]string{"NATS_CREDS": "/absent", "NATS_KEY": "/absent"}
	for url, want := range map[string]string{
		"nats://host:4333": "4333", "nats://host": "4222", "host:4333": "4333", "nats://a:1,nats://b:2": "1", "nats://host:0": "0", "tls://u:p@h:7": "7", "http://:8": "8",
	} {
		config, err := load(t, "nats: {url: '"+url+"', "+ignored, nil, env, "--embedded")
		require.NoError(t, err, url)
		require.Equal(t, broker.Config{URL: "nats://127.0.0.1:" + want}, config.NATS)
	}
	config, err := load(t, "", nil, nil, "--embedded")
	require.NoError(t, err)
	require.Equal(t, broker.Config{URL: "nats://127.0.0.1:4222"}, config.NATS)
	_, err = load(t, "nats: {url: 'nats://h:99999'}", nil, nil, "--embedded")
	require.ErrorContains(t, err, `nats.url: "99999" is not a port`)
	_, err = load(t, "nats: {url: 'nats://h:4', "+ignored, nil, nil)
	require.Error(t, err, "without an embedded server it all counts")

	// Commands that look into the queue of such a worker reach it by the address.
	path := filepath.Join(t.TempDir(), "deckhand.yaml")
	require.NoError(t, os.WriteFile(path, []byte("worker: {embedded: {enabled: true}}\nnats: {url: 'nats://host:4333', "+ignored), 0o600))
	config, err = Load(path, func(string) string { return "" }, pflag.NewFlagSet("", pflag.ContinueOnError))
	require.NoError(t, err)
	require.Equal(t, broker.Config{URL: "nats://host:4333"}, config.NATS)
}

func TestAPurgeThatAsksNeedsSomebodyToAsk(t *testing.T) {
	t.Parallel()
	for rest, can := range map[string]bool{
		"": false, "purge: {verify: catalog}": false, "purge: {verify: off}": true,
		"rest: {uri: http://127.0.0.1:8181}": true,
	} {
		config, err := load(t, "catalogs:\n  bay:\n    name: lake\n    locations: [file:///w]\n    "+rest+"\n", nil, nil)
		require.NoError(t, err, rest)
		err = config.CatalogsNamed("")[0].CanVerify()
		if can {
			require.NoError(t, err, rest)
			continue
		}
		require.ErrorContains(t, err, "catalogs.bay.purge.verify: before", rest)
		require.ErrorContains(t, err, "catalogs.bay.rest: { uri: … }", rest)
		require.ErrorContains(t, err, "catalogs.bay.purge: { verify: off }", rest)
	}
}
