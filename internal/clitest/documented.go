package clitest

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

var (
	// ofCode is a line of a code block in Markdown, or of an example; it may be one of a
	// terminal.
	ofCode = regexp.MustCompile(`(?m)^(?: {2,}|- )(?:\$ )?(?:build/bin/)?((?:worker|producer) .*)$`)
	// inText is code in the middle of a text.
	inText = regexp.MustCompile("`((?:worker|producer) [^`]*)`")
	// words of a command line; quotes may be around them, or begin behind a =.
	words = regexp.MustCompile(`(?:[^\s'"]+|'[^']*'|"[^"]*")+`)
)

// CheckDocumented fails for each command line of a program in the README and in the
// examples of its help that names a command or a flag that does not exist.
func CheckDocumented(t *testing.T, readme string, newRoot func() *cobra.Command) {
	t.Helper()
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	all := string(text)
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		all += "\n  " + cmd.Example + "\n" + cmd.Long + "\n"
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(newRoot())
	all = strings.ReplaceAll(all, "\\\n", " ")
	program, checked := newRoot().Name(), 0
	for _, found := range append(ofCode.FindAllStringSubmatch(all, -1), inText.FindAllStringSubmatch(all, -1)...) {
		line, _, _ := strings.Cut(found[1], " | ")
		args := words.FindAllString(line, -1)
		if args[0] != program {
			continue
		}
		checked++
		for i := range args {
			args[i] = strings.NewReplacer("'", "", `"`, "").Replace(args[i])
		}
		root := newRoot()
		root.InitDefaultHelpFlag()
		root.InitDefaultVersionFlag()
		cmd, flags, err := root.Find(args[1:])
		require.NoError(t, err, line)
		require.NoError(t, cmd.ParseFlags(flags), line)
	}
	require.Greater(t, checked, 10)
}
