package policy

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"deckhand/jobs"
)

// Explanation says for one kind of maintenance on one table what applies, and
// whether and why the table is due.
type Explanation struct {
	Kind Kind `json:"kind"`
	// Policy is absent when none applies.
	Policy *PolicySource `json:"policy,omitempty"`
	// Enabled: as in [Applied].
	Enabled  bool      `json:"enabled"`
	Problem  string    `json:"problem,omitempty"`
	Settings []Setting `json:"settings,omitempty"`
	DryRun   bool      `json:"dry_run,omitempty"`
	Due      bool      `json:"due"`
	Why      string    `json:"why"`
	Next     time.Time `json:"next,omitzero"`
	Notes    []string  `json:"notes,omitempty"`
}

// PolicySource says which policy applies and where it comes from.
type PolicySource struct {
	Type      string   `json:"type"`
	Namespace []string `json:"namespace"`
	Name      string   `json:"name"`
	Version   int      `json:"version"`
	// From is "table" or "inherited".
	From string `json:"from"`
}

// Explain puts together what applies and the verdict.
func Explain(a Applied, v Verdict) Explanation {
	e := Explanation{
		Kind: a.Kind, Enabled: a.Enabled, Settings: a.Values, DryRun: a.DryRun,
		Due: v.Due, Why: v.Why, Next: v.Next, Notes: a.Notes,
	}
	if a.Problem != nil {
		e.Problem = a.Problem.Error()
	}
	if p := a.Policy; p != nil {
		e.Policy = &PolicySource{Type: p.Type, Namespace: p.Namespace, Name: p.Name, Version: p.Version, From: "table"}
		if p.Inherited {
			e.Policy.From = "inherited"
		}
	}
	return e
}

// WriteText writes the explanation for people, a few lines.
func (e Explanation) WriteText(w io.Writer) error {
	var b bytes.Buffer
	state := "not due"
	if e.Due {
		state = "due"
	}
	if e.DryRun {
		state += ", dry run"
	}
	fmt.Fprintf(&b, "%s: %s\n", e.Kind, state)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if p := e.Policy; p != nil {
		from := "attached to the table"
		if p.From == "inherited" {
			from = "inherited"
		}
		fmt.Fprintf(t, "  policy\t%s, version %d, %s\n", oneLine(jobs.FormatTable(p.Namespace, p.Name)), p.Version, from)
	}
	for _, s := range e.Settings {
		fmt.Fprintf(t, "  %s\t%s\t(%s)\n", s.Name, oneLine(s.Value), s.Origin)
	}
	label := "why"
	if e.Problem != "" {
		label = "problem"
	}
	fmt.Fprintf(t, "  %s\t%s\n", label, oneLine(e.Why))
	switch {
	case e.Due:
		fmt.Fprintf(t, "  next\tnow\n")
	case !e.Next.IsZero():
		fmt.Fprintf(t, "  next\t%s\n", e.Next.UTC().Format(time.RFC3339))
	}
	for _, note := range e.Notes {
		fmt.Fprintf(t, "  note\t%s\n", oneLine(note))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// oneLine keeps what others wrote from moving the cursor or making lines.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
