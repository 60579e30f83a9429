package clitest

import (
	"strings"

	"github.com/spf13/cobra"
)

// RunHere runs a command that ends by itself inside of the test process, as main does.
// To start a process for it takes long where there are many, with the race detector
// most of a second. What is to be signalled or killed, or reads the environment, needs
// a process of its own: [Run], [Start].
func RunHere(main func(root *cobra.Command) int, root *cobra.Command, stdin string, args ...string) Result {
	var stdout, stderr Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code := main(root)
	return Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: code}
}
