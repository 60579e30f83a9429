package polaristest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNone says that there is no Polaris to run.
var ErrNone = errors.New("no Polaris can be had here")

const giveOne = "give POLARIS_HOME=<folder with quarkus-run.jar>"

// jarName is what Quarkus calls the file to run.
const jarName = "quarkus-run.jar"

// Find gives the folder with a server that has the extension: POLARIS_HOME, or
// one that is built in the repository's folder root. The error wraps [ErrNone]
// where there is none, and says what to do in one line.
func Find(ctx context.Context, root string) (home string, err error) {
	if home = os.Getenv("POLARIS_HOME"); home != "" {
		if _, err := os.Stat(filepath.Join(home, jarName)); err != nil {
			return "", fmt.Errorf("POLARIS_HOME has no %s: %w", jarName, err)
		}
		return home, nil
	}
	return build(ctx, root)
}

func build(ctx context.Context, root string) (string, error) {
	script := filepath.Join(root, "deploy", "polaris", "mvn.sh")
	said, err := output(ctx, script, "--version")
	if err != nil {
		return "", fmt.Errorf("%w: %s; or %s", ErrNone, firstLine(said), giveOne)
	}
	if strings.Contains(said, "only in part") {
		return "", fmt.Errorf("%w: the registry has it only in part, so that the server cannot be built; %s", ErrNone, giveOne)
	}
	if said, err = output(ctx, script, "-q", "-pl", "server", "-am", "-DskipTests", "package"); err != nil {
		return "", fmt.Errorf("build Polaris: %w:\n%s", err, said)
	}
	return filepath.Join(root, "deploy", "polaris", "server", "target", "quarkus-app"), nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	return said.String(), err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// oldestJava is what Polaris' byte code needs.
const oldestJava = 21

// java finds a JVM that is new enough: that of JAVA_HOME, or the newest below
// /usr/lib/jvm, else the one on the PATH.
func java() string {
	homes, _ := filepath.Glob("/usr/lib/jvm/*") // the pattern is sound
	best, found := 0, "java"
	for _, home := range append([]string{os.Getenv("JAVA_HOME")}, homes...) {
		version := javaVersion(home)
		if version > best {
			best, found = version, filepath.Join(home, "bin", "java")
		}
		if home == os.Getenv("JAVA_HOME") && version >= oldestJava {
			break
		}
	}
	return found
}

// javaVersion reads the feature release; 0 if it is no JVM.
func javaVersion(home string) int {
	release, err := os.ReadFile(filepath.Join(home, "release")) //nolint:gosec // a JVM's own file
	if home == "" || err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(release), `JAVA_VERSION="`)
	digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	version, err := strconv.Atoi(rest[:max(digits, 0)])
	if err != nil {
		return 0
	}
	return version
}
