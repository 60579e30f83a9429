package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
)

// printedError marks an error whose command has printed its JSON already.
type printedError struct{ error }

func (e *printedError) Unwrap() error { return e.error }

// Printed marks an error after which nothing more belongs on standard output,
// since what there is to say is there.
func Printed(err error) error {
	if err == nil {
		return nil
	}
	return &printedError{err}
}

// FailuresAsJSON makes a command with a flag --json print an object also when it
// fails, so that standard output can always be parsed: the error's text under
// "error", and under key what word says, or else what its exit code means.
func FailuresAsJSON(cmd *cobra.Command, key string, word func(error) string) {
	report := func(cmd *cobra.Command, err error) error {
		var printed *printedError
		asJSON, _ := cmd.Flags().GetBool("json")
		// Flags after a wrong one have not been read.
		asJSON = asJSON || slices.Contains(os.Args, "--json")
		if err == nil || !asJSON || errors.As(err, &printed) {
			return err
		}
		said := word(err)
		if said == "" {
			said = CodeOf(err).word()
		}
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if printErr := encoder.Encode(map[string]string{key: said, "error": OneLine(err)}); printErr != nil {
			return errors.Join(err, fmt.Errorf("print failure: %w", printErr))
		}
		return err
	}
	args, run := cmd.Args, cmd.RunE
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return report(cmd, wrongFlag(cmd, err)) })
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		err := args(cmd, given)
		if err != nil {
			err = Exit(BadInput, err)
		}
		return report(cmd, err)
	}
	cmd.RunE = func(cmd *cobra.Command, given []string) error { return report(cmd, run(cmd, given)) }
}

// word is what the code means.
func (c Code) word() string {
	switch c {
	case BadInput:
		return "bad input"
	case Dead:
		return "dead"
	case TryAgain:
		return "try again"
	}
	return "failed"
}
