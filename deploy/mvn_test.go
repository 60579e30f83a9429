package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Maven says where a jar is missing, and where the registry does not
// answer, with VERSION of the jar.
const (
	notFound = "[ERROR] Failed to execute goal: Unable to find/resolve artifact.: " +
		"Could not find artifact org.apache.polaris:polaris-runtime-service:jar:1.7.0 in central (https://repo.maven.apache.org/maven2)"
	noNetwork = "[ERROR] Failed to execute goal: Unable to find/resolve artifact.: " +
		"Could not transfer artifact org.apache.polaris:polaris-runtime-service:jar:1.7.0 from/to central: Connection refused"
	noPlugin = "[ERROR] Plugin org.apache.maven.plugins:maven-dependency-plugin:2.10 or one of its dependencies could not be resolved: " +
		"Could not find artifact org.apache.maven.plugins:maven-dependency-plugin:jar:2.10"
)

// checkout is mvn.sh in a folder of its own, with a Maven that only says how it
// was called.
type checkout struct {
	root string
	env  []string
}

func newCheckout(t *testing.T, jdks ...string) *checkout {
	t.Helper()
	c := &checkout{root: t.TempDir()}
	for _, name := range []string{"mvn.sh", "pom.xml"} {
		text, err := os.ReadFile(filepath.Join("polaris", name))
		require.NoError(t, err)
		// only the JDKs of the test
		c.program(t, "deploy/polaris/"+name, strings.ReplaceAll(string(text), "/usr/lib/jvm", c.root+"/jvm"))
	}
	for _, jdk := range jdks {
		c.program(t, "jvm/"+jdk+"/bin/javac", "")
		c.program(t, "jvm/"+jdk+"/release", `JAVA_VERSION="`+jdk+`.0.1"`)
	}
	c.env = []string{"PATH=" + c.root + "/bin:" + os.Getenv("PATH")}
	return c
}

func (c *checkout) program(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.root, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700)) //nolint:gosec // a program
}

// registry lets Maven answer that to the question for a jar; nothing is "here it
// is".
func (c *checkout) registry(t *testing.T, answer string) {
	t.Helper()
	fails := "exit 0"
	if answer != "" {
		fails = "echo '" + answer + "'; exit 1"
	}
	c.program(t, "bin/mvn", "#!/bin/sh\ncase \"$*\" in *dependency-plugin*) echo asked >>"+c.root+"/asked; "+fails+";; esac\n"+
		"echo \"mvn of $(basename \"$JAVA_HOME\"): $*\"\n")
}

func (c *checkout) run(t *testing.T, args ...string) (said string, err error) {
	t.Helper()
	cmd := exec.Command(c.root+"/deploy/polaris/mvn.sh", args...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *checkout) asked() int {
	text, _ := os.ReadFile(c.root + "/asked") // none where nothing was asked
	return strings.Count(string(text), "asked")
}

func TestMavenRemembersWhatTheRegistryHasAndNotThatTheNetworkFailed(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, "21")
	for _, trouble := range []string{noNetwork, noPlugin} {
		c.registry(t, trouble)
		said, err := c.run(t, "verify")
		require.NoError(t, err, said)
		require.Contains(t, said, "asked again next time")
		require.Contains(t, said, "only in part", "what a test of the server looks for")
		require.Contains(t, said, "mvn of 21: -B -ntp -Ppartial verify")
		require.NoFileExists(t, c.root+"/build/probe/answer")
	}
	require.Equal(t, 2, c.asked())

	c.registry(t, notFound)
	for range 2 {
		said, err := c.run(t, "verify")
		require.NoError(t, err, said)
		require.Contains(t, said, "the registry has Polaris 1.7.0 only in part")
		require.Contains(t, said, "mvn of 21: -B -ntp -Ppartial verify")
	}
	require.Equal(t, 3, c.asked(), "remembered")
}

func TestMavenTakesAWholeRegistryForWhole(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, "21")
	c.registry(t, "")
	for range 2 {
		said, err := c.run(t, "verify")
		require.NoError(t, err, said)
		require.Contains(t, said, "mvn of 21: -B -ntp verify")
	}
	require.Equal(t, 2, c.asked(), "two jars, once")
}

func TestMavenRunsOnTheJDKThatIsAskedForOrSaysThatThereIsNone(t *testing.T) {
	t.Parallel()
	both := newCheckout(t, "17", "25")
	both.registry(t, notFound)
	said, err := both.run(t, "verify")
	require.NoError(t, err, said)
	require.Contains(t, said, "mvn of 25: ")
	said, err = both.run(t, "--jdk", "17", "-pl", "outbox", "test")
	require.NoError(t, err, said)
	require.Contains(t, said, "mvn of 17: -B -ntp -pl outbox test")

	newer := newCheckout(t, "25")
	newer.registry(t, notFound)
	said, err = newer.run(t, "--jdk", "17", "-pl", "outbox", "test")
	require.NoError(t, err, said)
	require.Contains(t, said, "there is no JDK 17 here")
	require.NotContains(t, said, "mvn of")

	older := newCheckout(t, "17")
	older.registry(t, notFound)
	said, err = older.run(t, "verify")
	require.Error(t, err)
	require.Contains(t, said, "A JDK 21 or newer is missing")
	require.Contains(t, said, "The newest found is 17.")
}
