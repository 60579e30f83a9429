package policy

import (
	"errors"
	"io"
	"time"

	"deckhand/internal/table"
)

// To come; the signatures are meant to stay.

var errToCome = errors.New("not written yet")

// FactsOf a table whose metadata lies at the location.
func FactsOf(m *table.Metadata, metadataLocation string) Facts {
	return Facts{UUID: m.UUID, MetadataLocation: metadataLocation}
}

// Evaluate what the policies that apply to a table say about a kind.
func Evaluate(kind Kind, policies []Policy, facts Facts) Applied { return Applied{Kind: kind} }

// Due says whether a table needs a job now.
func (r Rules) Due(a Applied, f Facts, h History, now time.Time) Verdict { return Verdict{} }

// Explain puts together what applies and the verdict.
func Explain(a Applied, v Verdict) Explanation { return Explanation{Kind: a.Kind} }

// WriteText writes the explanation for people.
func (e Explanation) WriteText(w io.Writer) error { return errToCome }
