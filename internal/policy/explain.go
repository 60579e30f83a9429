package policy

import "time"

// Explanation says for one kind of maintenance on one table what applies, and
// whether and why the table is due.
type Explanation struct {
	Kind Kind `json:"kind"`
	// Policy is absent when none applies.
	Policy *PolicySource `json:"policy,omitempty"`
	// Enabled: the policy asks for the maintenance, and nothing is wrong with it.
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
