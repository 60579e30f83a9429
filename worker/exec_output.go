package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"deckhand/internal/command"
	"deckhand/internal/receipt"
	"deckhand/jobs"
)

// outputFlags say what "worker exec" prints.
type outputFlags struct {
	json, list bool
	listFile   string
}

func (f *outputFlags) bind(flags *pflag.FlagSet) {
	flags.BoolVar(&f.list, "list", false, "print every file and what was done with it, before the receipt")
	flags.StringVar(&f.listFile, "list-file", "", "write that list to a file instead")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON, and the list as one JSON object a line")
}

// pathList writes what was done with each file. It is called from one goroutine
// at a time.
type pathList struct {
	out  *bufio.Writer // nil: no list is wanted
	file *os.File      // nil: out is standard output
	json bool
}

func (f *outputFlags) open(stdout io.Writer) (*pathList, error) {
	list := &pathList{json: f.json}
	switch {
	case f.listFile != "":
		file, err := os.Create(f.listFile)
		if err != nil {
			return nil, fmt.Errorf("write list: %w", err)
		}
		list.file, list.out = file, bufio.NewWriter(file)
	case f.list:
		list.out = bufio.NewWriter(stdout)
	}
	return list, nil
}

// record is what a handler is given; nil if no list is wanted.
func (l *pathList) record() func(receipt.PathRecord) {
	if l.out == nil {
		return nil
	}
	return l.write
}

// write leaves errors to flush: a bufio.Writer keeps its first one.
func (l *pathList) write(path receipt.PathRecord) {
	if l.json {
		encoder := json.NewEncoder(l.out)
		encoder.SetEscapeHTML(false)
		_ = encoder.Encode(path)
		return
	}
	fmt.Fprintf(l.out, "%s\t%s\t%d\t%s", path.Action, path.Kind, path.Bytes, command.Clean(path.Location))
	if path.Reason != "" {
		fmt.Fprintf(l.out, "\t%s", command.Clean(string(path.Reason)))
	}
	fmt.Fprintln(l.out)
}

func (l *pathList) flush() error {
	if l.out == nil {
		return nil
	}
	if err := l.out.Flush(); err != nil {
		return command.Exit(command.Failed, fmt.Errorf("write list: %w", err))
	}
	return nil
}

func (l *pathList) close() error {
	if l.file == nil {
		return nil
	}
	if err := errors.Join(l.out.Flush(), l.file.Close()); err != nil {
		return fmt.Errorf("close list: %w", err)
	}
	return nil
}

// writeResult prints a result as JSON, on one line or indented.
func writeResult(out io.Writer, result jobs.Result, record any, indent bool) error {
	if record != nil {
		encoded, err := json.Marshal(record)
		if err != nil {
			return fmt.Errorf("encode receipt: %w", err)
		}
		result.Receipt = encoded
	}
	return writeJSON(out, result, indent)
}

func writeJSON(out io.Writer, value any, indent bool) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if indent {
		encoder.SetIndent("", "  ")
	}
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}
