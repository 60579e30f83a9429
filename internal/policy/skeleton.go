package policy

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"deckhand/internal/table"
)

// To come; the signatures are meant to stay.

var errToCome = errors.New("not written yet")

// Schedule is a cron expression with its time zone.
type Schedule struct{}

// Window is the days and hours in which jobs may start.
type Window struct{}

// FactsOf a table whose metadata lies at the location.
func FactsOf(m *table.Metadata, metadataLocation string) Facts {
	return Facts{UUID: m.UUID, MetadataLocation: metadataLocation}
}

// Read the params of a job of a kind.
func Read(kind Kind, params json.RawMessage) (Settings, error) { return nil, errToCome }

// ReadExpire reads the params of an expire job.
func ReadExpire(params json.RawMessage) (Expire, error) { return Expire{}, errToCome }

// ParseSet turns "key=value" texts into the params of a job.
func ParseSet(kind Kind, assignments []string) (json.RawMessage, error) { return nil, errToCome }

// Retention of a table at a time.
func (e Expire) Retention(now time.Time) table.Retention { return table.Retention{} }

// Evaluate what the policies that apply to a table say about a kind.
func Evaluate(kind Kind, policies []Policy, facts Facts) Applied { return Applied{Kind: kind} }

// Due says whether a table needs a job now.
func (r Rules) Due(a Applied, f Facts, h History, now time.Time) Verdict { return Verdict{} }

// Explain puts together what applies and the verdict.
func Explain(a Applied, v Verdict) Explanation { return Explanation{Kind: a.Kind} }

// WriteText writes the explanation for people.
func (e Explanation) WriteText(w io.Writer) error { return errToCome }

func params(Settings) json.RawMessage { return nil }
